//! Tests of this store beyond the laws: its file, its constraints, its indexes.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod claims;
mod constraints;
mod file;
mod fixture;
mod query_plans;
