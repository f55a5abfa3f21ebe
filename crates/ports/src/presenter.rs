//! Rendering of API responses and webhook bodies outside an HTTP request.

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

/// A response exactly as it was sent to the merchant.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredResponse {
    /// The HTTP status.
    pub status: u16,
    /// The media type of the body.
    pub content_type: String,
    /// The body; it may contain secrets and is sealed at rest.
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

/// A response to a merchant's `POST`.
#[derive(Debug)]
pub enum ApiResponse<'a> {
    /// A session was created.
    Created(&'a Session, &'a PayToken),
    /// A command on a session is done.
    Done(&'a Session),
    /// A command on a session was accepted; its outcome comes later.
    Accepted(&'a Session),
    /// A refund was requested.
    RefundRequested(&'a Refund),
    /// The PSP rejected a capture or cancel.
    PspRejected,
    /// A new key pair replaces another; the response is the only one that shows its texts.
    KeyRotated {
        /// The new key.
        api_key: &'a str,
        /// The new secret.
        api_secret: &'a str,
        /// The replaced key, with its end time.
        replaced: &'a ApiKey,
    },
    /// The endpoint has a new secret, which only this response shows.
    SecretRotated(&'a WebhookEndpoint),
    /// An event was queued for redelivery.
    Redelivering(&'a StoredEvent),
    /// The result of an endpoint test.
    Tested(&'a DeliveryAttempt),
}

/// The payload of a webhook.
#[derive(Debug, Clone, Copy)]
pub enum WebhookPayload<'a> {
    /// An event.
    Event(&'a StoredEvent),
    /// A test of the merchant's endpoint (`endpoint.test`).
    Test {
        /// Its id.
        id: EventId,
        /// When it was made.
        at: Timestamp,
    },
}

/// Renders API responses and webhook bodies; pure.
pub trait Presenter: Send + Sync {
    /// The status and bytes of a response; `request_id` goes into error bodies.
    fn render(
        &self,
        response: &ApiResponse<'_>,
        request_id: &str,
        now: Timestamp,
    ) -> StoredResponse;

    /// The body of a webhook: the same bytes for the same event at every attempt.
    fn render_webhook(&self, payload: &WebhookPayload<'_>) -> Vec<u8>;
}
