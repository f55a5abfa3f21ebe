//! The use cases and workers over a store in memory, a scripted PSP and a clock under control.
//!
//! [`support::World`] is the stage: its verbs are what merchants, shoppers, the PSP, the clock and
//! operators do. Each use case has its file; `crash_matrix` fails at every commit and every call,
//! `storms` does so at random, `races` lets equal and contrary requests run at once.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says what broke by panicking"
)]

mod abandon;
mod attempts;
mod automatic_capture;
mod bans;
mod cancel;
mod capture;
mod clean_up;
mod crash_matrix;
mod create;
mod deadlines;
mod endpoints;
mod expire;
mod hanging;
mod idempotency;
mod in_doubt;
mod keys;
mod late_money;
mod left_over;
mod meanwhile;
mod merchants;
mod moved_on;
mod notifications;
mod overtaken_reads;
mod pay;
mod races;
mod reading;
mod reconcile;
mod recovery;
mod refunds;
mod rotation;
mod runner;
mod skewed_clocks;
mod storms;
mod support;
mod webhooks;
