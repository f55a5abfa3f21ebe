//! The Stripe face, over HTTP.

pub(crate) mod client;

mod access;
mod challenge;
mod events;
mod faults;
mod idempotency;
mod lists;
mod payment_intents;
mod payment_methods;
mod refunds;
mod specification;
