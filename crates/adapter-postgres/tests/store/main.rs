//! Tests of PostgreSQL's own behavior beyond the laws: connection failures, migrations,
//! constraints, concurrent claims, query plans, round trips.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests, and a test may panic"
)]

mod claims;
mod connection_failures;
mod corrupt;
#[path = "../support/database.rs"]
mod database;
mod fill;
mod filtered_lists;
mod fixture;
mod migrations;
mod operator_queries;
mod privacy;
mod proxy;
mod query_plans;
mod races;
mod replication;
mod schema;
mod statistics;
mod tls;
