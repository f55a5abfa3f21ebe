//! Webhooks out: where a merchant wants its events, how they are signed, when they are tried again.

pub mod address;
pub mod delivery;
pub mod endpoint;
pub mod secret;
pub mod signature;

pub use delivery::{Attempt, Attempted, Clock, Delivery, DeliveryState, EndpointChange, SendError};
pub use endpoint::{Disabled, DisabledBecause, EndpointUrl, WebhookEndpoint};
pub use secret::{EndpointSecrets, PreviousSecret, WebhookSecret};
pub use signature::{BadSignature, Message, StandardHeaders, WebhookSignatures};
