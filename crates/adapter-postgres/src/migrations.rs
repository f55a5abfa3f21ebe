//! Schema migrations. Every process runs them at start, one process at a time, while others
//! continue to read and write.

#[cfg(test)]
mod tests;

use std::{
    collections::BTreeSet,
    thread,
    time::{Duration, Instant},
};

use diesel::{
    ConnectionError,
    migration::{Migration, MigrationSource},
    pg::Pg,
    sql_types::Text,
};
use diesel_async::{
    AsyncPgConnection, RunQueryDsl, async_connection_wrapper::AsyncConnectionWrapper,
};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use oncharge_ports::{StoreError, error::Source};

use crate::{address::Address, error::Failure};

/// The migrations, embedded in the binary.
const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../../migrations/postgres");

/// The advisory lock under which migrations run: the bytes of `oncharge`, to avoid collisions.
const ADVISORY_LOCK: i64 = i64::from_be_bytes(*b"oncharge");

/// The schema version that this binary requires: that of its newest migration.
pub fn schema_version() -> String {
    let migrations: Result<Vec<Box<dyn Migration<Pg>>>, _> = MIGRATIONS.migrations();
    let newest = migrations.ok().and_then(|mut all| all.pop());
    newest.map_or_else(String::new, |newest| newest.name().version().to_string())
}

/// How long a migration waits for a table lock. Meanwhile, writers to the table queue behind it.
const LOCK_TIMEOUT: Duration = Duration::from_secs(1);
/// Pause before the next try, in which queued writers can proceed.
const RETRY_PAUSE: Duration = Duration::from_secs(1);
/// How long a migration is retried before start-up fails.
const RETRY_LIMIT: Duration = Duration::from_secs(300);

/// Invalid indexes that interrupted `CREATE INDEX CONCURRENTLY` statements left. None is being
/// built at this moment, because the advisory lock is held.
const INVALID_INDEXES: &str = "
SELECT format('DROP INDEX CONCURRENTLY %I', relname) AS text
FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
WHERE NOT indisvalid AND relnamespace = current_schema()::regnamespace";

#[derive(diesel::QueryableByName)]
struct Statement {
    #[diesel(sql_type = Text)]
    text: String,
}

type Blocking = AsyncConnectionWrapper<AsyncPgConnection>;

/// Runs the pending migrations on the database of this URL.
///
/// Any number of processes may call this concurrently: they queue under an advisory lock, and later
/// ones find nothing to do. A migration that waits for a table lock gives up after a second and
/// retries, so that it does not block writers for longer.
///
/// Errors with [`StoreError::Unreachable`] if no server answers or it is not ready yet; with
/// another error if it refuses the connection, was migrated by a newer version of this program, or
/// a migration fails. Each migration runs in its own transaction unless its `metadata.toml` says
/// otherwise.
pub async fn migrate(url: &str) -> Result<(), StoreError> {
    let address = Address::parse(url).map_err(|error| StoreError::Failed(Box::new(error)))?;
    run(&address).await
}

pub(crate) async fn run(address: &Address) -> Result<(), StoreError> {
    run_from(address, MIGRATIONS).await
}

async fn run_from<S>(address: &Address, source: S) -> Result<(), StoreError>
where
    S: MigrationSource<Pg> + Send + 'static,
{
    let connection = address.connect().await.map_err(not_connected)?.diesel;
    let is_in_recovery: bool = diesel::select(pg_is_in_recovery())
        .get_result(&mut &connection)
        .await
        .map_err(Failure::of)?;
    if is_in_recovery {
        let cause = "the database is in recovery";
        return Err(StoreError::Unreachable(cause.into()));
    }
    diesel::select(pg_advisory_lock(ADVISORY_LOCK))
        .execute(&mut &connection)
        .await
        .map_err(Failure::of)?;
    // Diesel's migrations block, so they run on a blocking thread, whatever the runtime. The lock
    // ends with the connection, also if this process is killed.
    let done = tokio::task::spawn_blocking(move || run_pending(connection, &source)).await;
    done.map_err(|error| StoreError::Failed(Box::new(error)))?
}

/// A database may become reachable; a wrong user or password needs a person.
pub(crate) fn not_connected(error: ConnectionError) -> StoreError {
    match error {
        ConnectionError::BadConnection(_) => StoreError::Unreachable(Box::new(error)),
        error => StoreError::Failed(Box::new(error)),
    }
}

fn run_pending(
    connection: AsyncPgConnection,
    source: &impl MigrationSource<Pg>,
) -> Result<(), StoreError> {
    let mut blocking = Blocking::from(connection);
    run_each(&mut blocking, source).map_err(|error| {
        // A failed migration and a broken connection both appear as an error; the state of the
        // connection distinguishes them.
        if is_alive(&mut blocking) {
            StoreError::Failed(error)
        } else {
            StoreError::Unreachable(error)
        }
    })
}

fn run_each(connection: &mut Blocking, source: &impl MigrationSource<Pg>) -> Result<(), Source> {
    let pending = pending(connection, source)?;
    if pending.is_empty() {
        return Ok(());
    }
    drop_invalid_indexes(connection)?;
    for migration in pending {
        run_one(connection, migration.as_ref())?;
        tracing::info!(version = %migration.name(), "migrated the database");
    }
    Ok(())
}

/// Pending migrations, in order. Errors if the database has a migration that this program does not
/// contain: a newer version may have changed what it relies on.
fn pending(
    connection: &mut Blocking,
    source: &impl MigrationSource<Pg>,
) -> Result<Vec<Box<dyn Migration<Pg>>>, Source> {
    let mut known = source.migrations()?;
    known.sort_by_key(|migration| version(migration.as_ref()));
    let applied = connection.applied_migrations()?;
    let applied: BTreeSet<String> = applied.iter().map(ToString::to_string).collect();
    let versions: BTreeSet<String> = known.iter().map(|one| version(one.as_ref())).collect();
    if !applied.is_subset(&versions) {
        return Err("the database was migrated by a newer version of this program".into());
    }
    known.retain(|migration| !applied.contains(&version(migration.as_ref())));
    Ok(known)
}

fn version(migration: &dyn Migration<Pg>) -> String {
    migration.name().version().to_string()
}

fn drop_invalid_indexes(connection: &mut Blocking) -> Result<(), Source> {
    let find = diesel::sql_query(INVALID_INDEXES);
    let invalid: Vec<Statement> = diesel::RunQueryDsl::load(find, connection)?;
    for statement in invalid {
        diesel::RunQueryDsl::execute(diesel::sql_query(statement.text), connection)?;
    }
    Ok(())
}

/// Runs a migration, retrying while a table that it changes is locked.
fn run_one(connection: &mut Blocking, migration: &dyn Migration<Pg>) -> Result<(), Source> {
    // Outside a transaction only statements that block no writer may run, so they may wait.
    let is_transaction = migration.metadata().run_in_transaction();
    let wait = if is_transaction {
        LOCK_TIMEOUT
    } else {
        Duration::ZERO
    };
    let set = format!(
        "SELECT set_config('lock_timeout', '{}ms', false), set_config('statement_timeout', '0', false)",
        wait.as_millis()
    );
    diesel::RunQueryDsl::execute(diesel::sql_query(set), connection)?;
    let start = Instant::now();
    loop {
        match connection.run_migration(migration) {
            Ok(_) => return Ok(()),
            Err(error) if is_lock_timeout(error.as_ref()) && start.elapsed() < RETRY_LIMIT => {
                tracing::warn!(
                    version = %migration.name(),
                    "a table is locked, retrying the migration"
                );
                // Does not block the runtime: this is a blocking thread.
                thread::sleep(RETRY_PAUSE);
            }
            Err(error) => return Err(error),
        }
    }
}

/// Detects a lock timeout by its text (with `lc_messages` C): Diesel does not expose the error's
/// code.
fn is_lock_timeout(error: &(dyn std::error::Error + Send + Sync)) -> bool {
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = cause {
        if error.to_string().contains("due to lock timeout") {
            return true;
        }
        cause = error.source();
    }
    false
}

fn is_alive(connection: &mut Blocking) -> bool {
    diesel::RunQueryDsl::execute(diesel::sql_query("SELECT 1"), connection).is_ok()
}

diesel::define_sql_function! {
    /// Whether this server is a standby or is replaying its WAL after a crash.
    fn pg_is_in_recovery() -> diesel::sql_types::Bool;
}

diesel::define_sql_function! {
    /// Waits for an advisory lock, held until the connection ends.
    fn pg_advisory_lock(key: diesel::sql_types::BigInt) -> diesel::sql_types::Bool;
}
