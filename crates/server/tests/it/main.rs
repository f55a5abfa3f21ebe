//! Tests of the real binary with the real simulator, through the interfaces of merchants, shoppers
//! and operators.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test may panic and may look at the clock"
)]

mod bans;
mod branding;
mod clock_skew;
mod connections;
mod crashes;
mod deliveries;
mod demo;
mod disk_full;
mod docs;
mod examples;
mod isolation;
mod keys;
mod lifecycle;
mod logging;
mod nodes;
mod operators;
mod outages;
mod payments;
mod psp_responses;
mod races;
mod replay;
mod rotation;
#[path = "../shared/shared.rs"]
mod shared;
mod starting;
mod stopping;
mod support;
mod wait_for_database;
mod webhooks;
