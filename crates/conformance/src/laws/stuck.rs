//! Work that needs a person.

use anyhow::Context;
use oncharge_domain::{
    audit::AuditAction,
    id::{NotificationId, SessionId},
    operation::{CompensationMethod, Operation, OperationKind, OperationStatus, SendState},
    refund::{Refund, RefundStatus},
    session::{CaptureFailed, FailureCode, Payment, Refunds, Session, Status, Unpaid},
    time::Timestamp,
    webhook::WebhookEndpoint,
};
use oncharge_ports::{
    UnitOfWork,
    inbox::NotificationStatus,
    work_queue::{ClaimFilter, StuckItem, StuckKind},
};
use oncharge_testkit::build::{ENDPOINT, eur, reference};
use time::Duration as Span;

use crate::{
    TestedStore,
    fixture::{
        Fixture,
        webhooks::{EXPIRED, LONG},
    },
};

/// The stuck items of this kind at this time, oldest first.
async fn stuck(
    fixture: &Fixture,
    kind: StuckKind,
    now: Timestamp,
) -> anyhow::Result<Vec<StuckItem>> {
    let found = fixture.store.queue.stuck(now, 1000).await?;
    Ok(found.into_iter().filter(|item| item.kind == kind).collect())
}

async fn ids(fixture: &Fixture, kind: StuckKind, now: Timestamp) -> anyhow::Result<Vec<String>> {
    let found = stuck(fixture, kind, now).await?;
    Ok(found.into_iter().map(|item| item.id).collect())
}

/// Checks that these ids, in this order, are stuck from one microsecond past the budget on; returns
/// the items.
async fn stuck_past_budget(
    fixture: &Fixture,
    kind: StuckKind,
    since: Timestamp,
    wanted: &[String],
) -> anyhow::Result<Vec<StuckItem>> {
    let limit = since.plus_seconds(kind.budget_seconds());
    ensure_eq!(
        ids(fixture, kind, limit).await?,
        [""; 0],
        "{kind:?} within its budget"
    );
    let past = stuck(fixture, kind, limit.plus(Span::microseconds(1))).await?;
    let found: Vec<String> = past.iter().map(|item| item.id.clone()).collect();
    ensure_eq!(found, wanted, "{kind:?} past its budget");
    Ok(past)
}

/// Stuck if open for longer than a quarter of an hour, or three days if the PSP has accepted it;
/// compensations are a kind of their own, and final operations are never stuck.
pub async fn open_operations_are_stuck_past_their_budget(
    store: &TestedStore,
) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let start = fixture.build.now();
    let mut wanted = Vec::new();
    for sending in [SendState::Intended, SendState::NotSent, SendState::Unknown] {
        let (session, attempt) = fixture.session_with_attempt().await?;
        let operation = Operation { sending, ..attempt };
        fixture.change(&session, operation.clone()).await?;
        wanted.push(operation);
    }
    wanted.sort_by_key(|operation| operation.id);
    let (session, attempt) = fixture.session_with_attempt().await?;
    let accepted = Operation {
        sending: SendState::Accepted,
        ..attempt
    };
    fixture.change(&session, accepted.clone()).await?;
    let (session, ended) = fixture.session_with_attempt().await?;
    let done = Operation {
        status: OperationStatus::Succeeded,
        ..ended
    };
    fixture.change(&session, done).await?;

    let past = start.plus_seconds(900).plus(Span::microseconds(1));
    ensure_eq!(
        ids(&fixture, StuckKind::Operation, start.plus_seconds(900)).await?,
        [""; 0],
        "the stuck operations within the budget"
    );
    let mut found = stuck(&fixture, StuckKind::Operation, past).await?;
    found.sort_by(|one, other| one.id.cmp(&other.id));
    let mut named: Vec<String> = wanted
        .iter()
        .map(|operation| operation.id.to_string())
        .collect();
    named.sort_unstable();
    let listed: Vec<String> = found.iter().map(|item| item.id.clone()).collect();
    ensure_eq!(listed, named, "the stuck ones past the budget");
    for item in &found {
        let mine = wanted
            .iter()
            .find(|operation| operation.id.to_string() == item.id);
        let mine = mine.context("an item of an operation")?;
        belongs(item, mine, start)?;
    }
    let id = accepted.id.to_string();
    let items = stuck_past_budget(&fixture, StuckKind::Accepted, start, &[id]).await?;
    belongs(items.first().context("an item")?, &accepted, start)?;
    ensure_eq!(
        ids(&fixture, StuckKind::Compensation, past).await?,
        [""; 0],
        "compensations"
    );
    Ok(())
}

fn belongs(item: &StuckItem, operation: &Operation, since: Timestamp) -> anyhow::Result<()> {
    ensure_eq!(item.session, Some(operation.session), "the session");
    ensure_eq!(item.merchant, Some(operation.merchant), "the merchant");
    ensure_eq!(item.since, since, "since when");
    let kind = operation.kind.name();
    anyhow::ensure!(
        item.detail.contains(kind),
        "{} does not contain {kind}",
        item.detail
    );
    Ok(())
}

/// Compensations are listed at once, until the money is back.
pub async fn open_compensations_are_stuck_at_once(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let (session, attempt) = fixture.session_with_attempt().await?;
    let kind = OperationKind::Compensation {
        of: attempt.id,
        by: CompensationMethod::Void,
        round: 0,
    };
    let open = fixture.build.operation(&session, kind);
    let session = fixture.start(&session, open.clone()).await?;
    let now = fixture.build.now();
    let found = stuck(&fixture, StuckKind::Compensation, now).await?;
    ensure_eq!(found.len(), 1, "compensations");
    ensure_eq!(found[0].id, open.id.to_string(), "which");
    belongs(&found[0], &open, now)?;
    let late = now.plus_seconds(10 * 86_400);
    let operations = ids(&fixture, StuckKind::Operation, late).await?;
    ensure_eq!(operations, [attempt.id.to_string()], "the stuck operations");
    let accepted = Operation {
        sending: SendState::Accepted,
        ..open.clone()
    };
    let session = fixture.change(&session, accepted).await?;
    ensure_eq!(
        ids(&fixture, StuckKind::Accepted, late).await?,
        [""; 0],
        "the stuck accepted operations"
    );
    ensure_eq!(
        ids(&fixture, StuckKind::Compensation, late).await?.len(),
        1,
        "the accepted compensations"
    );
    let done = Operation {
        status: OperationStatus::Succeeded,
        ..open
    };
    fixture.change(&session, done).await?;
    ensure_eq!(
        ids(&fixture, StuckKind::Compensation, late).await?,
        [""; 0],
        "the compensations once the refund succeeded"
    );
    Ok(())
}

/// Refunds that succeeded although their session's capture has failed are listed permanently, and
/// only those.
pub async fn refunds_of_failed_captures_are_stuck(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let failed = Status::CaptureFailed(CaptureFailed {
        payment: Payment {
            attempt: fixture.build.id(),
            reference: reference("psp_payment"),
            authorized: eur(10_000),
        },
        refunds: Refunds {
            requested: eur(0),
            succeeded: eur(100),
        },
    });
    let other_error = Status::Error(Unpaid {
        failure: FailureCode::CardDeclined,
        retry: false,
    });
    let mut wanted = Vec::new();
    for (status, refunded) in [
        (failed.clone(), RefundStatus::Succeeded),
        (failed.clone(), RefundStatus::Requested),
        (other_error, RefundStatus::Succeeded),
        (Status::Expired, RefundStatus::Succeeded),
    ] {
        let session = fixture.session().await?;
        let (refund, operation) = fixture.build.refund(&session, 100);
        let is_stuck = status == failed && refunded == RefundStatus::Succeeded;
        if is_stuck {
            wanted.push((refund.id.to_string(), session.id));
        }
        let mut unit = with_status(&fixture, &session, status);
        unit.operations = vec![fixture.build.intent(operation)];
        unit.refund = Some(Refund {
            status: refunded,
            ..refund
        });
        fixture.commit(unit).await?;
    }
    let kind = StuckKind::RefundOfFailedCapture;
    for now in [
        fixture.build.now(),
        fixture.build.now().plus_seconds(100 * 86_400),
    ] {
        let found = stuck(&fixture, kind, now).await?;
        let found: Vec<(String, SessionId)> = found
            .iter()
            .filter_map(|item| Some((item.id.clone(), item.session?)))
            .collect();
        ensure_eq!(found, wanted, "refunds of failed captures");
    }
    Ok(())
}

fn with_status(fixture: &Fixture, session: &Session, status: Status) -> UnitOfWork {
    let mut unit = fixture.build.next_unit(session);
    unit.session.status = status;
    unit
}

/// Stuck five minutes past the deadline, even under a lease: a worker that fails at every try holds
/// its lease nearly all the time.
pub async fn late_deadlines_are_stuck(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let first = fixture.session().await?;
    fixture.build.advance(600);
    let second = fixture.session().await?;
    let (since, kind) = (first.expires_at, StuckKind::Deadline);
    let items = stuck_past_budget(&fixture, kind, since, &[first.id.to_string()]).await?;
    ensure_eq!(items[0].session, Some(first.id), "the session");
    ensure_eq!(items[0].merchant, Some(first.merchant), "the merchant");
    ensure_eq!(items[0].since, since, "since when");
    let late = second.expires_at.plus_seconds(301);
    let both = [first.id.to_string(), second.id.to_string()];
    ensure_eq!(
        ids(&fixture, kind, late).await?,
        both,
        "both sessions, the older first"
    );
    let held = store
        .queue
        .claim_sessions(since, &ClaimFilter::up_to(10), LONG)
        .await?;
    ensure_eq!(held.len(), 1, "claims");
    ensure_eq!(
        ids(&fixture, kind, late).await?,
        both,
        "the sessions while one is leased"
    );
    for (met, left) in [(&second, &both[..1]), (&first, &both[..0])] {
        let unit = with_status(&fixture, met, Status::Expired);
        fixture.commit(unit).await?;
        ensure_eq!(ids(&fixture, kind, late).await?, left, "after its deadline");
    }
    Ok(())
}

/// Mismatched, unmatched and malformed ones are stuck at once, until they are dismissed; waiting
/// ones past their budget, even under a lease; unverified and closed ones never.
pub async fn notifications_are_stuck(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let session = fixture.session().await?;
    let (kind, mut wanted): (_, Vec<(NotificationId, &str)>) = (StuckKind::Notification, vec![]);
    for (number, status) in NotificationStatus::ALL.iter().enumerate() {
        if matches!(
            status,
            NotificationStatus::Waiting | NotificationStatus::Unverified
        ) {
            continue;
        }
        fixture.build.advance(1);
        let new = fixture.receive_notification(&number.to_string()).await?;
        let lease = fixture
            .claim_notification(new.id, new.received_at, LONG)
            .await?;
        let mut outcome = fixture.build.notification_outcome(lease, *status);
        outcome.session = Some(session.id);
        store.inbox.close(&outcome).await?;
        if status.is_stuck() {
            wanted.push((new.id, status.name()));
        }
    }
    let unverified = fixture
        .build
        .notification_of(&fixture.merchant.account, None);
    store.inbox.receive(&unverified).await?;
    let now = fixture.build.now();
    let found = stuck(&fixture, kind, now).await?;
    ensure_eq!(found.len(), wanted.len(), "stuck notifications");
    for (item, (id, name)) in found.iter().zip(&wanted) {
        ensure_eq!(item.id, id.to_string(), "which");
        ensure_eq!(item.session, Some(session.id), "the session");
        let received = fixture.notification(*id).await?.new.received_at;
        ensure_eq!(item.since, received, "since when");
        anyhow::ensure!(
            item.detail.contains(name),
            "{} does not contain {name}",
            item.detail
        );
    }
    let audit = fixture.build.audit(AuditAction::NotificationDismissed);
    store.inbox.dismiss(wanted[0].0, &audit).await?;
    let rest: Vec<String> = wanted[1..].iter().map(|(id, _)| id.to_string()).collect();
    ensure_eq!(
        ids(&fixture, kind, now).await?,
        rest,
        "the notifications after one was dismissed"
    );

    let waiting = fixture.receive_notification("waiting").await?;
    stuck_past_budget(&fixture, StuckKind::Waiting, now, &[waiting.id.to_string()]).await?;
    let lease = fixture.claim_notification(waiting.id, now, LONG).await?;
    store.queue.release(lease, now.plus_seconds(86_400)).await?;
    stuck_past_budget(&fixture, StuckKind::Waiting, now, &[waiting.id.to_string()]).await?;
    Ok(())
}

/// An endpoint that has failed for longer than an hour is stuck, shown with its URL without the
/// query; not one that works, was just set or is disabled.
pub async fn failing_endpoints_are_stuck(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let (start, kind) = (fixture.build.now(), StuckKind::Endpoint);
    let late = start.plus_seconds(10_000);
    let endpoint = fixture.endpoint().await?;
    ensure_eq!(ids(&fixture, kind, late).await?, [""; 0], "a new endpoint");
    let event = fixture.new_event(&fixture.merchant).await?;
    fixture.attempt(event, Ok(500)).await?;
    let items = stuck_past_budget(&fixture, kind, start, &[endpoint.id.to_string()]).await?;
    let item = items.first().context("an item")?;
    ensure_eq!(item.merchant, Some(fixture.merchant.id), "the merchant");
    ensure_eq!(item.session, None, "the session");
    ensure_eq!(item.since, start, "since when");
    ensure_eq!(item.detail, "https://shop.example.com/", "the URL");
    fixture.build.advance(60);
    fixture.attempt(event, Ok(200)).await?;
    ensure_eq!(ids(&fixture, kind, late).await?, [""; 0], "a working one");
    let disabled = WebhookEndpoint {
        disabled: Some(fixture.gone()),
        failing_since: Some(start),
        ..fixture.build.endpoint(&fixture.merchant, &fixture.key)
    };
    fixture.set(&disabled).await?;
    ensure_eq!(ids(&fixture, kind, late).await?, [""; 0], "a disabled one");
    Ok(())
}
/// Stuck five minutes past the due time, even under a lease, but not while they wait for an earlier
/// first attempt; a delivery that waits for its next retry is not late. The URL is shown without
/// its query.
pub async fn late_deliveries_are_stuck(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    fixture.endpoint().await?;
    let start = fixture.build.now();
    let events = fixture.new_events(2).await?;
    let kind = StuckKind::Delivery;
    let items = stuck_past_budget(&fixture, kind, start, &[events[0].to_string()]).await?;
    let item = items.first().context("an item")?;
    ensure_eq!(item.merchant, Some(fixture.merchant.id), "the merchant");
    let delivery = fixture.delivery(events[0]).await?;
    ensure_eq!(item.session, Some(delivery.session), "the session");
    ensure_eq!(item.since, start, "since when");
    let place = ENDPOINT.split('?').next().unwrap_or_default();
    anyhow::ensure!(
        item.detail.contains(place),
        "{} does not contain {place}",
        item.detail
    );
    anyhow::ensure!(
        !item.detail.contains("oncharge_callback"),
        "the detail contains the query: {}",
        item.detail
    );

    let late = start.plus_seconds(1000);
    let lease = fixture.claim_delivery(events[0], start, LONG).await?;
    let first = [events[0].to_string()];
    ensure_eq!(
        ids(&fixture, kind, late).await?,
        first,
        "the deliveries while the first one is leased"
    );
    fixture.record(events[0], lease, Ok(500)).await?;
    let turn = start.plus_seconds(301);
    ensure_eq!(
        ids(&fixture, kind, turn).await?,
        [events[1].to_string()],
        "the deliveries after the first attempt"
    );
    let lease = fixture.claim_delivery(events[1], start, EXPIRED).await?;
    ensure_eq!(
        store.queue.renew(lease, LONG).await?,
        false,
        "the renewal of an expired lease"
    );
    ensure_eq!(
        ids(&fixture, kind, turn).await?,
        [events[1].to_string()],
        "the deliveries after the lease of the second one expired"
    );
    fixture.attempt(events[1], Ok(200)).await?;
    let retry = start.plus_seconds(60 + 300);
    ensure_eq!(
        ids(&fixture, kind, retry).await?,
        [""; 0],
        "the deliveries while the retry is within its budget"
    );
    let past = stuck(&fixture, kind, retry.plus(Span::microseconds(1))).await?;
    ensure_eq!(past.len(), 1, "deliveries past the retry's budget");
    ensure_eq!(
        (&past[0].id, past[0].since),
        (&events[0].to_string(), start),
        "the late retry, since the time of its event"
    );
    Ok(())
}

/// A delivery that is postponed repeatedly without an attempt (its merchant has no key) is stuck as
/// well.
pub async fn postponed_deliveries_are_stuck(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    fixture.endpoint().await?;
    let start = fixture.build.now();
    let events = fixture.new_events(2).await?;
    let (kind, late) = (StuckKind::Delivery, start.plus_seconds(1000));
    let lease = fixture.claim_delivery(events[0], start, LONG).await?;
    store.queue.release(lease, late.plus_seconds(60)).await?;
    let first = [events[0].to_string()];
    ensure_eq!(
        ids(&fixture, kind, late).await?,
        first,
        "the postponed delivery"
    );
    ensure_eq!(
        ids(&fixture, kind, start.plus_seconds(300)).await?,
        [""; 0],
        "the deliveries within their budget"
    );
    Ok(())
}

/// The oldest of all kinds are listed first, up to the limit.
pub async fn stuck_items_are_listed_oldest_first(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    ensure_eq!(
        store.queue.stuck(fixture.build.now(), 10).await?,
        [],
        "the stuck items of an empty store"
    );
    fixture.endpoint().await?;
    let mut wanted = Vec::new();
    for number in 0..3 {
        fixture.build.advance(1);
        wanted.push(
            fixture
                .closed_notification(&number.to_string(), NotificationStatus::Malformed)
                .await?
                .id
                .to_string(),
        );
        fixture.build.advance(1);
        wanted.push(fixture.session_with_attempt().await?.1.id.to_string());
        fixture.build.advance(1);
        wanted.push(fixture.new_event(&fixture.merchant).await?.to_string());
    }
    // Past every budget except the sessions' deadlines.
    let now = fixture.build.now().plus_seconds(1000);
    for limit in [1, 2, 5, 9, 100] {
        let found = store.queue.stuck(now, limit).await?;
        let found: Vec<String> = found.into_iter().map(|item| item.id).collect();
        let most = wanted.len().min(limit as usize);
        ensure_eq!(found, wanted[..most], "the first {limit}");
    }
    Ok(())
}
