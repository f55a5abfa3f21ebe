//! The embedded store on SQLite, the default: one file, one writer thread, concurrent readers.
//!
//! All writes go through one thread that owns the writing connection and runs each unit of work in
//! its own `BEGIN IMMEDIATE` (see [`SqliteStore`]). Reads use a connection of the calling thread
//! and are never blocked by writes (WAL). Secrets and personal data are sealed before they reach
//! the database, so the file contains neither.
//!
//! Start at `store`. The crate `oncharge-store-rows` has the schema, the rows and their sealing. The
//! PostgreSQL adapter has the same files, for side-by-side reading.

mod audit;
mod blocklist;
mod clean_up;
mod clock;
mod commit;
mod error;
mod idempotency;
mod inbox;
mod key_registry;
mod maintenance;
mod merchants;
mod migrations;
mod operator_queries;
mod pool;
mod queries;
mod reseal;
mod returning;
mod store;
mod webhooks;
mod work;
mod writer;

pub use store::SqliteStore;
