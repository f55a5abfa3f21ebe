//! Tests of this store beyond the laws: its file, its constraints, its indexes.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod claims;
mod corrupt;
mod file;
mod fixture;
mod migrations;
mod privacy;
mod query_plans;
mod schema;
