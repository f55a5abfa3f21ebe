//! The operators' server, over the in-memory store and over none.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod health;
mod overview;
mod support;
mod view;
