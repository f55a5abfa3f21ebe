//! What is PostgreSQL's own beside the laws of the ports: connections that break, migrations,
//! constraints, plans, traffic.

#[path = "../support/database.rs"]
mod database;
