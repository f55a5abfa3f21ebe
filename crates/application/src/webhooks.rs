//! Use cases of merchants on webhooks: endpoint, events, redelivery, test.

pub(crate) mod delivery_attempt;
pub mod endpoint;
pub mod events;
pub mod redeliver;
pub mod rotate_secret;
pub(crate) mod running_tests;
pub mod test;
