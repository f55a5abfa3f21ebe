//! Rendering of answers where there is no request at hand.

use oncharge_domain::{
    id::EventId,
    merchant::ApiKey,
    pay_token::PayToken,
    refund::Refund,
    session::Session,
    time::Timestamp,
    webhook::{DeliveryAttempt, WebhookEndpoint},
};

use crate::queries::StoredEvent;

/// An answer as it went to the merchant, byte for byte.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredResponse {
    /// The HTTP status.
    pub status: u16,
    /// The media type of the body.
    pub content_type: String,
    /// The body; it may hold secrets and is kept sealed.
    pub body: Vec<u8>,
}

impl std::fmt::Debug for StoredResponse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "StoredResponse({}, {} bytes)",
            self.status,
            self.body.len()
        )
    }
}

/// What can be answered to a merchant's `POST`.
#[derive(Debug)]
pub enum ApiResponse<'a> {
    /// A session was created.
    Created(&'a Session, &'a PayToken),
    /// A command on a session is done.
    Done(&'a Session),
    /// A command on a session was taken in; its outcome comes later.
    Accepted(&'a Session),
    /// A refund was ordered.
    RefundRequested(&'a Refund),
    /// The PSP said no to a capture or cancel.
    PspRejected,
    /// A pair was made in place of another; its texts are shown this once.
    KeyRotated {
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
    Tested(&'a DeliveryAttempt),
}

/// What a merchant is told by webhook.
#[derive(Debug, Clone, Copy)]
pub enum WebhookPayload<'a> {
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
    fn render(
        &self,
        response: &ApiResponse<'_>,
        request_id: &str,
        now: Timestamp,
    ) -> StoredResponse;

    /// The body of a webhook: the same bytes for the same event at every attempt.
    fn render_webhook(&self, payload: &WebhookPayload<'_>) -> Vec<u8>;
}
