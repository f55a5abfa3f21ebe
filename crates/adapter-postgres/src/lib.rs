//! The store on PostgreSQL.
//!
//! Start at `store`: the pool and the keys. `commit` writes a unit of work, `queries` reads, `work`
//! leases due work, `inbox` stores notifications from PSPs and `webhooks` the outbox of events for
//! merchants; the crate `oncharge-store-rows` has the schema, the rows and their sealing. The SQLite
//! adapter has the same files, for side-by-side reading.
//!
//! Not here: decisions (they arrive as units of work), locks held across calls, a test query before
//! each statement, libpq.

#[cfg(test)]
extern crate self as oncharge_adapter_postgres;

mod address;
mod audit;
mod batch;
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
mod precondition;
mod queries;
mod reseal;
mod statistics;
mod store;
mod webhooks;
mod work;

pub use address::{AddressError, Location, Protection, location};
pub use migrations::{migrate, schema_version};
pub use statistics::Statistics;
pub use store::PostgresStore;
