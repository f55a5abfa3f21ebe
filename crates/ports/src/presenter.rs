//! Rendering of answers where there is no request at hand.

use oncharge_domain::{
    id::EventId,
    merchant::ApiKey,
    pay_token::PayToken,
    refund::Refund,
    session::Session,
    time::Timestamp,
    webhook::{Attempt, WebhookEndpoint},
};

use crate::queries::StoredEvent;

/// An answer as it went to the merchant, byte for byte.
#[derive(Clone, PartialEq, Eq)]
pub struct RememberedAnswer {
    /// The HTTP status.
    pub status: u16,
    /// The media type of the body.
    pub content_type: String,
    /// The body; it may hold secrets and is kept sealed.
    pub body: Vec<u8>,
}

impl std::fmt::Debug for RememberedAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "RememberedAnswer({}, {} bytes)",
            self.status,
            self.body.len()
        )
    }
}

/// What can be answered to a merchant's `POST`.
#[derive(Debug)]
pub enum Presentable<'a> {
    /// A session was created.
    Created(&'a Session, &'a PayToken),
    /// A command on a session is done.
    Done(&'a Session),
    /// A command on a session was taken in; its outcome comes later.
    Accepted(&'a Session),
    /// A refund was ordered.
    RefundOrdered(&'a Refund),
    /// The PSP said no to a capture or cancel.
    PspRejected,
    /// A pair was made in place of another; its texts are shown this once.
    PairRotated {
        /// The new key.
        api_key: &'a str,
        /// The new secret.
        api_secret: &'a str,
        /// The key that it replaces, with the time at which that ends.
        replaced: &'a ApiKey,
    },
    /// An endpoint has a new secret, which is shown this once.
    SecretRotated(&'a WebhookEndpoint),
    /// An event is on its way again.
    Redelivering(&'a StoredEvent),
    /// What came of a test of the endpoint.
    Tested(&'a Attempt),
}

/// What a merchant is told by webhook.
#[derive(Debug, Clone, Copy)]
pub enum Told<'a> {
    /// An event.
    Event(&'a StoredEvent),
    /// A test of its endpoint (`endpoint.test`).
    Test {
        /// Its id.
        id: EventId,
        /// When it was made.
        at: Timestamp,
    },
}

/// Renders answers; pure.
pub trait Presenter: Send + Sync {
    /// The status and bytes of an answer; `request_id` goes into error bodies.
    fn present(
        &self,
        answer: &Presentable<'_>,
        request_id: &str,
        now: Timestamp,
    ) -> RememberedAnswer;

    /// The body of a webhook: the same bytes for the same event at every attempt.
    fn webhook(&self, told: &Told<'_>) -> Vec<u8>;
}
