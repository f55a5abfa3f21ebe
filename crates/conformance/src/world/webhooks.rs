//! Endpoints, events on their way and notifications.

use std::time::Duration;

use anyhow::{Context, ensure};
use oncharge_domain::{
    audit::AuditAction,
    id::{EventId, NotificationId},
    merchant::{ApiKey, Merchant},
    session::{EventKind, Session},
    time::Timestamp,
    webhook::{Delivery, Disabled, DisabledBecause, SendError, WebhookEndpoint},
};
use oncharge_ports::{
    inbox::{NewNotification, NotificationStatus, StoredNotification},
    unit_of_work::Lease,
    webhook_repository::{EndpointWrite, Outgoing},
    work_queue::{ClaimedDelivery, WantedDeliveries, WantedItems},
};
use oncharge_testkit::build::endpoint_url;

use super::World;

/// A lease that is long enough for any test.
pub(crate) const LONG: Duration = Duration::from_secs(100_000_000);
/// A lease that is over as soon as it is given: no test need wait for one.
pub(crate) const OVER: Duration = Duration::ZERO;

/// Every delivery that a worker may take.
pub(crate) fn any() -> WantedDeliveries {
    WantedDeliveries {
        limit: 1000,
        each: 1000,
        busy: Vec::new(),
    }
}

impl World {
    /// The merchant's endpoint, at the usual URL, in the store.
    pub(crate) async fn endpoint(&self) -> anyhow::Result<WebhookEndpoint> {
        let endpoint = self.build.endpoint(&self.merchant, &self.key);
        self.set(&endpoint).await
    }

    /// An enabled endpoint of this shop at this URL, in the store.
    pub(crate) async fn endpoint_at(
        &self,
        (merchant, key): (&Merchant, &ApiKey),
        url: &str,
    ) -> anyhow::Result<WebhookEndpoint> {
        let endpoint = WebhookEndpoint {
            url: endpoint_url(url),
            ..self.build.endpoint(merchant, key)
        };
        self.set(&endpoint).await
    }

    /// A disabled endpoint of the merchant's, at another URL: what is on the way to the usual one is
    /// not left over.
    pub(crate) async fn disabled_endpoint(&self) -> anyhow::Result<WebhookEndpoint> {
        let endpoint = WebhookEndpoint {
            url: endpoint_url("https://disabled.example.com/hook"),
            disabled: Some(self.gone()),
            ..self.build.endpoint(&self.merchant, &self.key)
        };
        self.set(&endpoint).await
    }

    /// That an endpoint has answered 410 at the builder's time.
    pub(crate) fn gone(&self) -> Disabled {
        Disabled {
            because: DisabledBecause::Gone,
            at: self.build.now(),
        }
    }

    /// Writes this endpoint as the next version of the one that the merchant has, or as its first;
    /// returns what was written.
    pub(crate) async fn set(&self, endpoint: &WebhookEndpoint) -> anyhow::Result<WebhookEndpoint> {
        let webhooks = &self.store.webhooks;
        let next = match webhooks.endpoint(endpoint.merchant).await? {
            Some(present) => WebhookEndpoint {
                id: present.id,
                version: present.version + 1,
                created_at: present.created_at,
                ..endpoint.clone()
            },
            None => WebhookEndpoint {
                version: 1,
                ..endpoint.clone()
            },
        };
        let audit = self.build.audit(AuditAction::EndpointSet);
        let written = webhooks.set_endpoint(&next, &audit).await?;
        same!(written, EndpointWrite::Written, "the endpoint");
        Ok(next)
    }

    /// Removes this merchant's endpoint; `false` where there is none.
    pub(crate) async fn remove(&self, merchant: &Merchant) -> anyhow::Result<bool> {
        let audit = self.build.audit(AuditAction::EndpointRemoved);
        let webhooks = &self.store.webhooks;
        Ok(webhooks.remove_endpoint(merchant.id, &audit).await?)
    }

    /// Writes the session's next event, and returns the session with the event's id.
    pub(crate) async fn tell(&self, session: &Session) -> anyhow::Result<(Session, EventId)> {
        let unit = self.build.telling(session, EventKind::PaymentCaptureFailed);
        let (written, event) = (unit.session.clone(), unit.events[0].id);
        self.commit(unit).await?;
        Ok((written, event))
    }

    /// A new session of this merchant with one event.
    pub(crate) async fn told(&self, merchant: &Merchant) -> anyhow::Result<EventId> {
        let session = self.session_of(merchant).await?;
        Ok(self.tell(&session).await?.1)
    }

    /// A new session of the merchant with so many events, in order.
    pub(crate) async fn told_often(&self, count: usize) -> anyhow::Result<Vec<EventId>> {
        let (mut session, mut events) = (self.session().await?, Vec::new());
        for _ in 0..count {
            let (next, event) = self.tell(&session).await?;
            session = next;
            events.push(event);
        }
        Ok(events)
    }

    /// The event on its way with all that belongs to it.
    pub(crate) async fn outgoing(&self, event: EventId) -> anyhow::Result<Option<Outgoing>> {
        let found = self.store.webhooks.outgoing(&[event]).await?;
        ensure!(found.len() <= 1, "one event, many deliveries: {found:?}");
        Ok(found.into_iter().next())
    }

    pub(crate) async fn delivery(&self, event: EventId) -> anyhow::Result<Delivery> {
        let found = self.outgoing(event).await?;
        Ok(found.context("the event has no delivery")?.delivery)
    }

    /// Claims every delivery that can be had.
    pub(crate) async fn take_deliveries(
        &self,
        now: Timestamp,
        length: Duration,
    ) -> anyhow::Result<Vec<ClaimedDelivery>> {
        let queue = &self.store.queue;
        queue.claim_deliveries(now, &any(), length).await
    }

    /// Which events' deliveries can be had, in the order of their ids; nobody holds them afterwards.
    pub(crate) async fn deliverable(&self, now: Timestamp) -> anyhow::Result<Vec<EventId>> {
        let claimed = self.take_deliveries(now, OVER).await?;
        Ok(sorted(claimed.iter().map(|claimed| claimed.event)))
    }

    /// Claims every delivery that can be had and returns the lease on this one.
    pub(crate) async fn lease_on(
        &self,
        event: EventId,
        (now, length): (Timestamp, Duration),
    ) -> anyhow::Result<Lease> {
        let claimed = self.take_deliveries(now, length).await?;
        lease_in(&claimed, event)
    }

    /// Claims this delivery at the builder's time and records an attempt with this outcome.
    pub(crate) async fn attempt(
        &self,
        event: EventId,
        answer: Result<u16, SendError>,
    ) -> anyhow::Result<Delivery> {
        let lease = self.lease_on(event, (self.build.now(), LONG)).await?;
        self.record(event, lease, answer).await
    }

    /// Records an attempt with this outcome under this lease and returns the delivery after it.
    pub(crate) async fn record(
        &self,
        event: EventId,
        lease: Lease,
        answer: Result<u16, SendError>,
    ) -> anyhow::Result<Delivery> {
        let outgoing = self.outgoing(event).await?.context("no delivery")?;
        let failing = outgoing.endpoint.and_then(|found| found.failing_since);
        let claim = (lease, &outgoing.delivery);
        let recorded = self.build.recorded(claim, answer, failing);
        self.store.webhooks.record(&recorded).await?;
        self.delivery(event).await
    }

    /// Keeps a notification that waits, with this event key.
    pub(crate) async fn notified(&self, event_key: &str) -> anyhow::Result<NewNotification> {
        let new = self.build.notification(event_key);
        ensure!(self.store.inbox.receive(&new).await?, "{event_key} is new");
        Ok(new)
    }

    pub(crate) async fn notification(
        &self,
        id: NotificationId,
    ) -> anyhow::Result<StoredNotification> {
        let found = self.store.inbox.notification(id).await?;
        found.with_context(|| format!("{id} is not found"))
    }

    /// The lease on this notification, which must be the only one that can be had.
    pub(crate) async fn lease_on_notification(
        &self,
        id: NotificationId,
        (now, length): (Timestamp, Duration),
    ) -> anyhow::Result<Lease> {
        let queue = &self.store.queue;
        let claimed = queue
            .claim_notifications(now, &WantedItems::up_to(1000), length)
            .await?;
        let ids: Vec<NotificationId> = claimed.iter().map(|claim| claim.notification).collect();
        same!(ids, [id], "notifications that can be had");
        Ok(claimed[0].lease)
    }

    /// A notification that has come to this end, without anything that it is about.
    pub(crate) async fn ended(
        &self,
        event_key: &str,
        status: NotificationStatus,
    ) -> anyhow::Result<NewNotification> {
        let new = self.notified(event_key).await?;
        let claim = (new.received_at, LONG);
        let lease = self.lease_on_notification(new.id, claim).await?;
        let settled = self.build.settled(lease, status);
        self.store.inbox.settle(&settled).await?;
        Ok(new)
    }
}

/// The lease on this event's delivery among these claims.
pub(crate) fn lease_in(claimed: &[ClaimedDelivery], event: EventId) -> anyhow::Result<Lease> {
    let mine = claimed.iter().find(|claimed| claimed.event == event);
    Ok(mine.context("the delivery was not claimed")?.lease)
}

/// In the order of their ids, so that sets can be compared.
pub(crate) fn sorted(events: impl IntoIterator<Item = EventId>) -> Vec<EventId> {
    let mut events: Vec<EventId> = events.into_iter().collect();
    events.sort_unstable();
    events
}
