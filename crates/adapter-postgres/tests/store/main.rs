//! What is PostgreSQL's own beside the laws of the ports: connections that break, migrations,
//! constraints, claims of several processes, plans, traffic.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests, and a test may panic"
)]

mod breaking;
mod claiming;
mod corrupt;
#[path = "../support/database.rs"]
mod database;
mod encrypting;
mod filtered_lists;
mod migrating;
mod overseeing;
mod plans;
mod privacy;
mod proxy;
mod racing;
mod replication;
mod schema;
mod shop;
mod traffic;
