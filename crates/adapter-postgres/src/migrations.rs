//! Brings the schema up to date: at the start of every process, one after the other.

use diesel::{
    ConnectionError,
    migration::{Migration, MigrationSource},
    pg::Pg,
};
use diesel_async::{
    AsyncPgConnection, RunQueryDsl, async_connection_wrapper::AsyncConnectionWrapper,
};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use oncharge_ports::StoreError;

use crate::{address::Address, error::Failure};

/// The migrations, part of the binary.
const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../../migrations/postgres");

/// The advisory lock under which migrations run; the bytes of `oncharge`, unlikely to be another's.
const LOCK: i64 = i64::from_be_bytes(*b"oncharge");

/// The version of the schema that this binary works with: that of its newest migration.
pub fn schema_version() -> String {
    let migrations: Result<Vec<Box<dyn Migration<Pg>>>, _> = MIGRATIONS.migrations();
    let newest = migrations.ok().and_then(|mut all| all.pop());
    newest.map_or_else(String::new, |newest| newest.name().version().to_string())
}

/// Runs the migrations that have not run yet, at the database of this URL.
///
/// Any number of processes may do so at once: they queue under an advisory lock, and those that
/// come late find nothing to do. Errors where the database cannot be reached
/// ([`StoreError::Unavailable`]), refuses us, or a migration fails; each runs in a transaction of
/// its own.
pub async fn migrate(url: &str) -> Result<(), StoreError> {
    let address = Address::parse(url).map_err(|error| StoreError::Failed(Box::new(error)))?;
    run(&address).await
}

pub(crate) async fn run(address: &Address) -> Result<(), StoreError> {
    let (connection, _driver) = address.connect().await.map_err(not_connected)?;
    diesel::select(pg_advisory_lock(LOCK))
        .execute(&mut &connection)
        .await
        .map_err(Failure::of)?;
    // Diesel's migrations block: on a blocking thread they may, whatever kind of runtime this is.
    // The lock goes with the connection, also where this process is killed.
    let done = tokio::task::spawn_blocking(move || run_pending(connection)).await;
    done.map_err(|error| StoreError::Failed(Box::new(error)))?
}

/// A database may come up or back; another user or password comes from a person alone.
fn not_connected(error: ConnectionError) -> StoreError {
    match error {
        ConnectionError::InvalidConnectionUrl(_) => StoreError::Failed(Box::new(error)),
        error => StoreError::Unavailable(Box::new(error)),
    }
}

fn run_pending(connection: AsyncPgConnection) -> Result<(), StoreError> {
    let mut blocking = AsyncConnectionWrapper::<AsyncPgConnection>::from(connection);
    let done = blocking
        .run_pending_migrations(MIGRATIONS)
        .map(|done| done.iter().map(ToString::to_string).collect::<Vec<_>>());
    let done = match done {
        Ok(done) => done,
        // What a migration that fails and a connection that breaks have in common is an error.
        Err(error) if is_alive(&mut blocking) => return Err(StoreError::Failed(error)),
        Err(error) => return Err(StoreError::Unavailable(error)),
    };
    for version in done {
        tracing::info!(%version, "migrated the database");
    }
    Ok(())
}

fn is_alive(connection: &mut AsyncConnectionWrapper<AsyncPgConnection>) -> bool {
    diesel::RunQueryDsl::execute(diesel::sql_query("SELECT 1"), connection).is_ok()
}

diesel::define_sql_function! {
    /// Waits for an advisory lock that lasts as long as the connection.
    fn pg_advisory_lock(key: diesel::sql_types::BigInt) -> diesel::sql_types::Bool;
}
