//! The use cases and workers over an in-memory store, a scripted PSP and a test clock.
//!
//! [`support::World`] is a deployment under test: its methods are the actions of merchants,
//! shoppers, the PSP, the clock and operators. Each use case has its file; `crash_matrix` fails at
//! every commit and every call, `load_histories` does so at random, `races` runs requests
//! concurrently.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod abandon;
mod attempts;
mod automatic_capture;
mod bans;
mod cancel;
mod capture;
mod changed_sessions;
mod clean_up;
mod concurrent_deliveries;
mod crash_matrix;
mod create;
mod deadlines;
mod endpoints;
mod expire;
mod hanging_psp;
mod idempotency;
mod keys;
mod late_payments;
mod load_histories;
mod merchants;
mod mismatched_responses;
mod notifications;
mod orphaned_deliveries;
mod pay;
mod queries;
mod races;
mod reconcile;
mod recovery;
mod refunds;
mod rotation;
mod runner;
mod runtimes;
mod skewed_clocks;
mod stale_reads;
mod support;
mod uncertain_commits;
mod webhooks;
