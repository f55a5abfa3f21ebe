//! Webhooks: events sent by the service, and their verification.

mod endpoint;
mod error;
mod event;
mod kind;
mod verifier;

pub use endpoint::{DeliveryAttempt, EventDetails, SigningSecret, WebhookEndpoint};
pub use error::{InvalidSigningSecret, WebhookError};
pub use event::{Amounts, Webhook, WebhookEvent};
pub use kind::EventKind;
pub use verifier::{WebhookVerifier, verify_webhook};
