//! Endpoints, delivery attempts and notifications for tests.

use oncharge_domain::{
    merchant::{ApiKey, Merchant},
    psp::PspAccount,
    session::{EventKind, Session},
    time::Timestamp,
    webhook::{
        Delivery, DeliveryAttempt, DeliveryOutcome, DeliveryState, EndpointChange, EndpointUrl,
        ScheduleSpeed, SendError, WebhookEndpoint, WebhookSecret,
    },
};
use oncharge_ports::{
    Entropy, UnitOfWork,
    inbox::{NewNotification, NotificationOutcome, NotificationStatus},
    unit_of_work::Lease,
    webhook_repository::AttemptRecord,
};

use super::{Builder, account};

/// The URL of built endpoints; the query is part of it.
pub const ENDPOINT: &str = "https://shop.example.com/?wc-api=oncharge_callback";

/// A parsed endpoint URL; panics if it is invalid.
pub fn endpoint_url(text: &str) -> EndpointUrl {
    EndpointUrl::parse(text, true).expect("the URL of an endpoint")
}

impl Builder {
    /// An enabled endpoint at [`ENDPOINT`], set with this key of the merchant.
    pub fn endpoint(&self, merchant: &Merchant, key: &ApiKey) -> WebhookEndpoint {
        let url = endpoint_url(ENDPOINT);
        let secret = self.webhook_secret();
        WebhookEndpoint::new(self.id(), merchant.id, url, key.id, secret, self.now())
    }

    /// A new webhook secret.
    pub fn webhook_secret(&self) -> WebhookSecret {
        let entropy: &dyn Entropy = &self.entropy;
        WebhookSecret::from_bytes(entropy.bytes())
    }

    /// A unit that writes this session's next version with its next event, of this kind.
    pub fn unit_with_event(&self, session: &Session, kind: EventKind) -> UnitOfWork {
        let mut unit = self.next_unit(session);
        let event = self.event(&unit.session, session.next_sequence, kind);
        unit.session.next_sequence += 1;
        unit.events = vec![event];
        unit
    }

    /// A notification for the account of built sessions, with this event key and an arbitrary body.
    pub fn notification(&self, event_key: &str) -> NewNotification {
        self.notification_of(&account(), Some(event_key))
    }

    /// A notification for this account; without an event key it is unverified.
    pub fn notification_of(
        &self,
        account: &PspAccount,
        event_key: Option<&str>,
    ) -> NewNotification {
        NewNotification {
            id: self.id(),
            account: account.clone(),
            event_key: event_key.map(str::to_owned),
            body: format!("body of {event_key:?}").into_bytes(),
            received_at: self.now(),
        }
    }

    /// The outcome of a claimed notification that is attributed to nothing, without an audit entry.
    pub fn notification_outcome(
        &self,
        lease: Lease,
        status: NotificationStatus,
    ) -> NotificationOutcome {
        NotificationOutcome {
            lease,
            status,
            operation: None,
            session: None,
            audit: None,
        }
    }

    /// The next attempt of this delivery, with this outcome, at the builder's time.
    pub fn delivery_attempt(
        &self,
        delivery: &Delivery,
        status: Result<u16, SendError>,
    ) -> DeliveryAttempt {
        DeliveryAttempt {
            number: delivery.attempts + 1,
            at: self.now(),
            status: status.ok(),
            latency_ms: 17,
            response: status.map_or_else(|_| String::new(), |status| format!("status {status}")),
            error: status.err(),
        }
    }

    /// The record of an attempt with this outcome, by the rules of the schedule, for an endpoint
    /// with this `failing_since`.
    pub fn attempt_record(
        &self,
        lease: Lease,
        delivery: &Delivery,
        status: Result<u16, SendError>,
        failing_since: Option<Timestamp>,
    ) -> AttemptRecord {
        let attempt = self.delivery_attempt(delivery, status);
        let after = delivery.clone().apply_attempt(
            &attempt,
            None,
            failing_since,
            ScheduleSpeed::Real,
            self.now(),
        );
        AttemptRecord {
            lease,
            attempt: Some(attempt),
            after,
            failing_since,
            at: self.now(),
            audit: None,
        }
    }

    /// The record if no attempt was made because the endpoint no longer exists.
    pub fn record_without_attempt(&self, lease: Lease, delivery: &Delivery) -> AttemptRecord {
        AttemptRecord {
            lease,
            attempt: None,
            after: DeliveryOutcome {
                delivery: Delivery {
                    state: DeliveryState::Dead,
                    ..delivery.clone()
                },
                next_try_at: None,
                endpoint: EndpointChange::None,
            },
            failing_since: None,
            at: self.now(),
            audit: None,
        }
    }
}
