//! Tests of the simulator through its interfaces: HTTP, notifications, database file, process.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test says what broke by panicking, and prints that it is skipped"
)]

mod asynchronous;
mod cards;
mod challenge;
mod connection_faults;
mod faults;
mod hosts;
mod idempotency;
mod modifications;
mod notifications;
mod pages;
mod payments;
mod process;
mod receiver;
mod restart;
mod sandbox;
mod stripe;
