//! Webhooks: endpoints, signatures, and the retry schedule of deliveries.

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
