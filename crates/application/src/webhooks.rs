//! What merchants do about their webhooks: endpoint, events, redelivery, a test.

pub mod endpoint;
pub mod events;
pub mod redeliver;
pub mod rotate_secret;
pub(crate) mod sending;
pub mod test;
