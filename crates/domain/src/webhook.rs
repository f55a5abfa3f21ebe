//! Webhooks out: where a merchant wants its events, how they are signed, when they are tried again.

pub mod address;
pub mod delivery;
pub mod endpoint;
pub mod secret;
pub mod signature;

pub use delivery::{
    Delivery, DeliveryAttempt, DeliveryOutcome, DeliveryState, EndpointChange, ScheduleSpeed,
    SendError,
};
pub use endpoint::{DisableReason, DisabledState, EndpointUrl, WebhookEndpoint};
pub use secret::{EndpointSecrets, PreviousSecret, WebhookSecret};
pub use signature::{Message, SignatureError, StandardHeaders, WebhookSignatures};
