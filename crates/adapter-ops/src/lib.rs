//! The operators' server: the read-only view `/ops/`, health and metrics. On its own port.
//!
//! Start reading at `routes`: all routes on one screen.

mod guard;
mod health;
mod metrics;
mod ops;
mod queue_history;
mod routes;
mod server;
mod view;

pub use ops::{Ops, RoundTrips};
pub use server::serve;
