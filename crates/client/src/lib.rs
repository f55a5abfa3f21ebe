//! A small Rust client for merchants: signs and sends requests, and retries safely.
//!
//! Every POST carries an `Idempotency-Key`, so that a call whose response was lost can be repeated
//! without being executed twice; the client does that automatically, a few times, under the same
//! key (see [`RetryPolicy`]). Pass your own key ([`IdempotencyKey`]), stored with your order, to
//! continue retrying after a crash; pass `None` for a random one.
//!
//! ```no_run
//! use oncharge_client::{Client, IdempotencyKey, NewRefund, NewSession, SessionStatus};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let secret = std::fs::read_to_string("api_secret")?;
//! let client = Client::new("https://api.oncharge.io", "oc_key_…", secret.trim())?;
//!
//! let new = NewSession::new(9999, "USD", "order-42", "https://shop.example.com/thank-you");
//! let key = IdempotencyKey::new("order-42")?;
//! let created = client.create_session(&new, Some(&key)).await?;
//! println!("send the shopper to {}", client.checkout_url(&created));
//!
//! // The browser's result is a hint; this response is authoritative.
//! let session = client.session(&created.session_id).await?;
//! if session.status == SessionStatus::Captured {
//!     let refund = NewRefund::new(&session, 5000, "refund-42");
//!     client.refund(&refund, None).await?;
//! }
//! # Ok(())
//! # }
//! ```
//!
//! The service reports events by webhook: [`WebhookVerifier`] verifies and parses the requests.

mod api_key;
mod attempt;
mod call;
mod client;
mod error;
mod http;
mod key;
mod observe;
mod page;
mod refund;
mod retries;
mod secret;
mod session;
mod status;
mod webhook;

pub use api_key::{ApiKeyDetails, ApiSecret, OldCredentials, RotatedPair};
pub use attempt::{PaymentAttempt, PaymentMethod};
pub use client::Client;
pub use error::{ConfigError, Error, FieldProblem};
pub use key::{IdempotencyKey, InvalidIdempotencyKey};
pub use observe::{Exchange, ExchangeResponse};
pub use page::{EventFilter, Page, RefundFilter, SessionFilter};
pub use refund::{NewRefund, Refund, RefundDetails, RefundStatus};
pub use retries::RetryPolicy;
pub use secret::PayToken;
pub use session::{CaptureMode, CreatedSession, Customer, NewSession, PendingOperation, Session};
pub use status::{Failure, SessionStatus};
pub use webhook::{
    Amounts, DeliveryAttempt, EventDetails, EventKind, InvalidSigningSecret, SigningSecret,
    Webhook, WebhookEndpoint, WebhookError, WebhookEvent, WebhookVerifier, verify_webhook,
};
