//! What merchants do about their webhooks: endpoint, events, redelivery, a test.

pub(crate) mod delivery_attempt;
pub mod endpoint;
pub mod events;
pub mod redeliver;
pub mod rotate_secret;
pub mod test;
