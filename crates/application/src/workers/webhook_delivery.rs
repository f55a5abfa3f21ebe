//! Delivers events to merchants: claims due deliveries, sends, records the attempts.

use std::collections::{BTreeSet, HashMap};

use oncharge_domain::{
    audit::{AuditAction, AuditEntry},
    id::EventId,
    time::Timestamp,
    webhook::{
        Delivery, DeliveryAttempt, DeliveryOutcome, DeliveryState, EndpointChange, EndpointUrl,
        SendError, WebhookEndpoint,
    },
};
use oncharge_ports::{
    CommitError, StoreError,
    presenter::WebhookPayload,
    unit_of_work::Lease,
    webhook_repository::{AttemptRecord, OutgoingDelivery},
    work_queue::DeliveryClaimFilter,
};
use time::format_description::well_known::Rfc3339;
use tokio::{
    task::{self, JoinError, JoinSet},
    time::Instant,
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::{
    BATCH, FAILURE_PAUSE, POLL_INTERVAL,
    delivery_limiter::{CLAIM_PER_MERCHANT, DeliveryLimiter},
    lease::{LEASE, with_lease},
};
use crate::{
    App, Error,
    commit::Backoff,
    webhooks::delivery_attempt::{self, SentAttempt},
};

/// How long a shutdown waits for running attempts; those cut off are repeated.
const STOP_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(3);
/// How many due times of next attempts are held in memory; polling finds the rest.
const MAX_ALARMS: usize = 1024;

/// Claims due deliveries, makes one attempt each and waits for all; returns how many.
pub async fn run_once(app: &App) -> Result<usize, Error> {
    let wanted = DeliveryClaimFilter {
        limit: BATCH,
        per_merchant: BATCH,
        busy: Vec::new(),
    };
    let claimed = claim(app, &wanted).await?;
    let count = claimed.len();
    let each = claimed.into_iter().map(|claimed| deliver(app, claimed));
    futures_util::future::join_all(each).await;
    Ok(count)
}

/// Delivers until it is stopped; attempts run concurrently, limited by [`DeliveryLimiter`].
pub(super) async fn run(app: App, stop: CancellationToken) {
    let mut worker = Worker::default();
    while !stop.is_cancelled() {
        let pause = match worker.start_due(&app).await {
            Ok(0) => POLL_INTERVAL,
            Ok(_) => continue,
            Err(error) => {
                warn!(
                    worker = "webhook delivery",
                    error = &error as &dyn std::error::Error,
                    "the worker cannot use the database, retrying"
                );
                FAILURE_PAUSE
            }
        };
        let (notifiers, pause) = (
            &app.inner().notifiers.deliveries,
            worker.pause(app.now(), pause),
        );
        let has_free_slots = worker.delivery_limiter.free_slots(Instant::now()) > 0;
        tokio::select! {
            () = stop.cancelled() => {}
            // Without a free slot, only the end of an attempt helps.
            () = notifiers.notified(), if has_free_slots => {}
            Some(ended) = worker.in_progress.join_next_with_id() => worker.record_end(ended),
            () = tokio::time::sleep(pause) => {}
        }
    }
    let ends = async { while worker.in_progress.join_next().await.is_some() {} };
    if tokio::time::timeout(STOP_TIMEOUT, ends).await.is_err() {
        info!("delivery attempts in progress were interrupted; they will be repeated");
    }
}

/// The attempts in progress.
#[derive(Default)]
struct Worker {
    delivery_limiter: DeliveryLimiter,
    in_progress: JoinSet<Option<Timestamp>>,
    /// The event of each task, since the error of a panicked task contains only the task's id.
    events: HashMap<task::Id, EventId>,
    /// When the next attempts are due, for those that are due soon.
    alarms: BTreeSet<Timestamp>,
}

/// The end of an attempt's task, with the due time of the next attempt.
type Ended = Result<(task::Id, Option<Timestamp>), JoinError>;

impl Worker {
    /// Starts as many due attempts as there are free slots; returns how many.
    async fn start_due(&mut self, app: &App) -> Result<usize, Error> {
        while let Some(ended) = self.in_progress.try_join_next_with_id() {
            self.record_end(ended);
        }
        let now = Instant::now();
        let free_slots = u32::try_from(self.delivery_limiter.free_slots(now)).unwrap_or(u32::MAX);
        if free_slots == 0 || app.is_clock_too_far_off() {
            return Ok(0);
        }
        let wanted = DeliveryClaimFilter {
            limit: free_slots.min(BATCH),
            per_merchant: CLAIM_PER_MERCHANT,
            busy: self.delivery_limiter.busy(now),
        };
        let claimed = claim(app, &wanted).await?;
        let count = claimed.len();
        for claimed in claimed {
            let (event, merchant) = (
                claimed.outgoing.event.id,
                claimed.outgoing.event.event.merchant,
            );
            self.delivery_limiter.begin(event, merchant, now);
            let app = app.clone();
            let task = self
                .in_progress
                .spawn(async move { deliver(&app, claimed).await });
            self.events.insert(task.id(), event);
        }
        Ok(count)
    }

    /// A failed task frees its slot, too; its delivery's lease expires by itself.
    fn record_end(&mut self, ended: Ended) {
        let (task, next_try_at) = match ended {
            Ok(ended) => ended,
            Err(error) => {
                warn!(
                    error = &error as &dyn std::error::Error,
                    "a delivery task failed"
                );
                (error.id(), None)
            }
        };
        if let Some(event) = self.events.remove(&task) {
            self.delivery_limiter.end(event, Instant::now());
        }
        if self.alarms.len() < MAX_ALARMS {
            self.alarms.extend(next_try_at);
        }
    }

    /// How long to sleep: until the next attempt is due or an attempt becomes slow, at most `most`.
    fn pause(&mut self, now: Timestamp, most: std::time::Duration) -> std::time::Duration {
        self.alarms = self.alarms.split_off(&now);
        let alarm = self.alarms.first().map(|at| at.since(now));
        let alarm = alarm.and_then(|wait| std::time::Duration::try_from(wait).ok());
        let moment = Instant::now();
        let slow = self
            .delivery_limiter
            .next_slow(moment)
            .map(|at| at - moment);
        [alarm, slow]
            .into_iter()
            .flatten()
            .fold(most, std::time::Duration::min)
    }
}

/// A claimed delivery with everything that an attempt needs.
struct ClaimedOutgoing {
    outgoing: OutgoingDelivery,
    lease: Lease,
}

async fn claim(app: &App, wanted: &DeliveryClaimFilter) -> Result<Vec<ClaimedOutgoing>, Error> {
    let start = Instant::now();
    let claimed = app
        .inner()
        .store
        .work
        .claim_deliveries(wanted, LEASE)
        .await?;
    if claimed.is_empty() {
        return Ok(Vec::new());
    }
    let events: Vec<EventId> = claimed.iter().map(|claimed| claimed.event).collect();
    let found = outgoing(app, &events).await?;
    if start.elapsed() > LEASE / 2 {
        // The store was slow, and the leases may have expired: another worker could send the same
        // deliveries at the same time.
        return Err(Error::Busy(None));
    }
    let with_lease = found.into_iter().filter_map(|outgoing| {
        let claim = claimed
            .iter()
            .find(|claimed| claimed.event == outgoing.event.id)?;
        Some(ClaimedOutgoing {
            outgoing,
            lease: claim.lease,
        })
    });
    Ok(with_lease.collect())
}

/// These events with what their delivery needs. A corrupt row must not block the other deliveries
/// of its claim again and again: in that case each is read by itself, and the corrupt one is left
/// out.
async fn outgoing(app: &App, events: &[EventId]) -> Result<Vec<OutgoingDelivery>, Error> {
    let webhooks = &app.inner().store.webhooks;
    match webhooks.outgoing(events).await {
        Err(StoreError::Corrupt { .. }) => {}
        found => return Ok(found?),
    }
    let mut readable = Vec::with_capacity(events.len());
    for event in events {
        match webhooks.outgoing(std::slice::from_ref(event)).await {
            Ok(found) => readable.extend(found),
            Err(error) => {
                warn!(%event, error = &error as &dyn std::error::Error,
                    "cannot read an event; it is not delivered");
            }
        }
    }
    Ok(readable)
}

/// Makes an attempt and records it; returns when the next one is due. An attempt that cannot be
/// recorded is repeated when the lease has expired: delivery is at least once.
async fn deliver(app: &App, claimed: ClaimedOutgoing) -> Option<Timestamp> {
    let lease = claimed.lease;
    let event = claimed.outgoing.event.id;
    match with_lease(app, lease, Box::pin(attempt(app, claimed))).await {
        Ok(next) => next,
        Err(error) => {
            warn!(%event, error = &error as &dyn std::error::Error,
                "cannot record a delivery attempt; it will be repeated");
            None
        }
    }
}

async fn attempt(app: &App, claimed: ClaimedOutgoing) -> Result<Option<Timestamp>, Error> {
    let ClaimedOutgoing { outgoing, lease } = claimed;
    let Some(endpoint) = destination(&outgoing) else {
        let dead = Delivery {
            state: DeliveryState::Dead,
            ..outgoing.delivery
        };
        let after = DeliveryOutcome {
            delivery: dead,
            next_try_at: None,
            endpoint: EndpointChange::None,
        };
        return record(app, lease, None, (after, None)).await;
    };
    let sent = send(app, &outgoing, endpoint).await?;
    let (event, url) = (outgoing.event.id, outgoing.delivery.url.clone());
    let attempt_effect = attempt_effect(app, outgoing, &sent);
    log_attempt(event, &url, &sent.attempt, &attempt_effect.0);
    record(app, lease, Some(sent.attempt), attempt_effect).await
}

/// Logs neither path nor query of the URL: both may contain a merchant's secret.
fn log_attempt(
    event: EventId,
    url: &EndpointUrl,
    attempt: &DeliveryAttempt,
    after: &DeliveryOutcome,
) {
    if attempt.is_success() {
        debug!(%event, host = url.host(), status = attempt.status, "webhook delivered");
        return;
    }
    let next_try_at = after
        .next_try_at
        .and_then(|at| at.as_offset_date_time().format(&Rfc3339).ok());
    warn!(
        merchant = %after.delivery.merchant,
        %event,
        host = url.host(),
        attempt = attempt.number,
        status = attempt.status,
        error = attempt.error.map(SendError::name),
        outcome = outcome(after),
        next_try_at,
        "webhook attempt failed"
    );
}

/// The consequences of an attempt, and since when the endpoint had failed before it.
type AttemptEffect = (DeliveryOutcome, Option<Timestamp>);

/// The consequences of an attempt, given the state read before it; the store ensures that a
/// redelivery, success or new setting in the meantime is not undone.
fn attempt_effect(app: &App, outgoing: OutgoingDelivery, sent: &SentAttempt) -> AttemptEffect {
    let OutgoingDelivery {
        delivery, endpoint, ..
    } = outgoing;
    let same = endpoint.filter(|endpoint| endpoint.url == delivery.url);
    let failing_since = same.and_then(|endpoint| endpoint.failing_since);
    let after = delivery.apply_attempt(
        &sent.attempt,
        sent.retry_after,
        failing_since,
        app.settings().webhook_clock,
        app.now(),
    );
    (after, failing_since)
}

/// The endpoint to deliver to, if the delivery is still valid: since the claim it may have ended,
/// and its endpoint may have been removed or disabled. An endpoint removed concurrently with the
/// event's commit leaves its delivery behind: the merchant then has no endpoint, or another one.
/// These are distinguished by id; times are not comparable, since nodes' clocks differ. Deliveries
/// to the previous URL of an endpoint are still sent.
fn destination(outgoing: &OutgoingDelivery) -> Option<&WebhookEndpoint> {
    let delivery = &outgoing.delivery;
    let endpoint = outgoing.endpoint.as_ref();
    endpoint.filter(|endpoint| {
        delivery.state == DeliveryState::Pending
            && endpoint.id == delivery.endpoint
            && (endpoint.url != delivery.url || endpoint.disabled.is_none())
    })
}

async fn send(
    app: &App,
    outgoing: &OutgoingDelivery,
    endpoint: &WebhookEndpoint,
) -> Result<SentAttempt, Error> {
    let payload = WebhookPayload::Event(&outgoing.event);
    let number = outgoing.delivery.attempts.saturating_add(1);
    let to = delivery_attempt::Recipient {
        merchant: outgoing.event.event.merchant,
        url: outgoing.delivery.url.clone(),
        key: endpoint.key,
        secrets: endpoint.secrets.clone(),
    };
    delivery_attempt::send(app, to, outgoing.event.id, &payload, number).await
}

async fn record(
    app: &App,
    lease: Lease,
    attempt: Option<DeliveryAttempt>,
    (after, failing_since): AttemptEffect,
) -> Result<Option<Timestamp>, Error> {
    let audit = match after.endpoint {
        EndpointChange::Disabled(reason) => Some(AuditEntry {
            id: app.new_id_in(after.delivery.merchant.slot()),
            at: app.now(),
            action: AuditAction::EndpointDisabled,
            merchant: Some(after.delivery.merchant),
            session: None,
            operation: None,
            detail: reason.name().to_owned(),
        }),
        EndpointChange::None | EndpointChange::Recovered | EndpointChange::Failing => None,
    };
    let (outcome, next_try_at) = (outcome(&after), after.next_try_at);
    let attempt_record = AttemptRecord {
        lease,
        attempt,
        after,
        failing_since,
        at: app.now(),
        audit,
    };
    let mut backoff = Backoff::new();
    loop {
        match app.inner().store.webhooks.record(&attempt_record).await {
            Ok(()) => break,
            // The previous try recorded it, or another worker has the delivery by now.
            Err(CommitError::LeaseLost) => return Ok(None),
            Err(CommitError::OutcomeUnknown | CommitError::Store(_)) => backoff.wait(app).await?,
            Err(error) => return Err(error.into()),
        }
    }
    if attempt_record.audit.is_some() {
        app.inner().notifiers.clean_up.notify_one();
    }
    metrics::counter!("oncharge_webhook_attempts_total", "outcome" => outcome).increment(1);
    if let EndpointChange::Disabled(reason) = attempt_record.after.endpoint {
        let name = "oncharge_webhook_endpoints_disabled_total";
        metrics::counter!(name, "reason" => reason.name()).increment(1);
    }
    // The session's next first attempt may be sent now.
    app.inner().notifiers.deliveries.notify_one();
    Ok(next_try_at)
}

fn outcome(after: &DeliveryOutcome) -> &'static str {
    match after.delivery.state {
        DeliveryState::Delivered => "delivered",
        DeliveryState::Pending => "failed",
        DeliveryState::Dead => "dead",
    }
}

#[cfg(test)]
mod tests {
    use oncharge_domain::{id::MerchantId, session::EventKind};
    use oncharge_ports::queries::StoredEvent;
    use oncharge_testkit::{Builder, build::endpoint_url};
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_delivery_that_ended_after_its_claim_is_not_sent() {
        let build = Builder::new(1);
        let merchant = build.merchant();
        let endpoint = build.endpoint(&merchant, &build.api_key(&merchant).0);
        let session = build.session(&merchant);
        let new = build.event(&session, 1, EventKind::PaymentRefused);
        let outgoing = |state| OutgoingDelivery {
            event: StoredEvent {
                id: new.id,
                event: new.event.clone(),
                merchant_reference: session.reference.clone(),
                metadata: session.metadata.clone(),
            },
            delivery: Delivery {
                event: new.id,
                session: session.id,
                merchant: merchant.id,
                sequence: 1,
                endpoint: endpoint.id,
                url: endpoint.url.clone(),
                state,
                attempts: 0,
                failures: 0,
                round: 0,
            },
            endpoint: Some(endpoint.clone()),
        };
        let pending = outgoing(DeliveryState::Pending);
        assert_eq!(destination(&pending), Some(&endpoint));
        // Its endpoint was removed, and set again at the same URL.
        assert_eq!(destination(&outgoing(DeliveryState::Dead)), None);
        let again = WebhookEndpoint {
            id: build.id(),
            ..endpoint.clone()
        };
        let orphaned = OutgoingDelivery {
            endpoint: Some(again),
            ..pending.clone()
        };
        assert_eq!(destination(&orphaned), None);
        // The clock of the node that set it first is ahead of that which wrote the event.
        let moved = WebhookEndpoint {
            url: endpoint_url("https://new.example.com/"),
            created_at: new.event.at.plus_seconds(60),
            ..endpoint.clone()
        };
        let on_its_way = OutgoingDelivery {
            endpoint: Some(moved.clone()),
            ..pending
        };
        assert_eq!(destination(&on_its_way), Some(&moved));
    }

    #[tokio::test]
    async fn a_panicking_attempt_frees_its_slot() {
        let mut worker = Worker::default();
        let (event, merchant) = (
            EventId::from_uuid(Uuid::from_u128(1)),
            MerchantId::from_uuid(Uuid::from_u128(2)),
        );
        worker
            .delivery_limiter
            .begin(event, merchant, Instant::now());
        let task = worker
            .in_progress
            .spawn(async { std::future::pending().await });
        worker.events.insert(task.id(), event);
        assert_eq!(worker.delivery_limiter.busy(Instant::now()), [merchant]);
        task.abort();
        let ended = worker.in_progress.join_next_with_id().await.unwrap();
        worker.record_end(ended);
        assert_eq!(worker.delivery_limiter.busy(Instant::now()), []);
    }
}
