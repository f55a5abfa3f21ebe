//! Webhooks out: where a merchant wants its events, how they are signed, when they are tried again.

pub mod address;
pub mod delivery;
pub mod endpoint;
pub mod signature;

pub use delivery::{Attempt, Attempted, Clock, Delivery, DeliveryState, EndpointChange, SendError};
pub use endpoint::{DisabledBecause, EndpointUrl, WebhookEndpoint};
pub use signature::{BadSignature, WebhookSecret, WebhookSignatures};
