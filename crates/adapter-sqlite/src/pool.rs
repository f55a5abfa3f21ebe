//! Connections to the file: settings, migrations, and one read connection per thread.

use std::{
    cell::RefCell,
    io::ErrorKind,
    path::{Path, PathBuf},
    sync::{Arc, Weak},
    thread,
    time::{Duration, Instant},
};

use diesel::{
    Connection, SqliteConnection, connection::SimpleConnection, migration::MigrationSource,
    sqlite::Sqlite,
};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use oncharge_ports::{StoreError, error::Source};

use crate::error;

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../../migrations/sqlite");

/// How long a statement waits for another process's lock: as long as a request may take.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Settings of every connection. `FULL` makes each commit durable in WAL mode; `NORMAL` may lose
/// the last ones at a power failure. With recursive triggers, `REPLACE` fires the audit log's
/// guard. A WAL that grew because of a long read is truncated to 64 MiB.
const SETTINGS: &str = "PRAGMA synchronous = FULL;
     PRAGMA foreign_keys = ON;
     PRAGMA recursive_triggers = ON;
     PRAGMA trusted_schema = OFF;
     PRAGMA temp_store = MEMORY;
     PRAGMA journal_size_limit = 67108864;";

/// Creates the file if necessary (readable by its owner only), migrates it, and returns the writing
/// connection.
pub(crate) fn open_migrated(path: &Path) -> Result<SqliteConnection, StoreError> {
    create_private(path).map_err(|error| StoreError::Unavailable(error.into()))?;
    let mut connection = open_writer(path)?;
    migrate(&mut connection)?;
    Ok(connection)
}

/// Creates a missing file before SQLite does, to set its mode; SQLite gives the files beside it
/// (`-wal`, `-shm`) the same mode.
fn create_private(path: &Path) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// Opens a connection that may write.
pub(crate) fn open_writer(path: &Path) -> Result<SqliteConnection, StoreError> {
    let mut connection = connect(path)?;
    connection.batch_execute(SETTINGS).map_err(error::store)?;
    use_wal(&mut connection)?;
    Ok(connection)
}

fn open_reader(path: &Path) -> Result<SqliteConnection, StoreError> {
    let mut connection = connect(path)?;
    connection
        .batch_execute(SETTINGS)
        .and_then(|()| connection.batch_execute("PRAGMA query_only = ON"))
        .map_err(error::store)?;
    Ok(connection)
}

fn connect(path: &Path) -> Result<SqliteConnection, StoreError> {
    let unavailable = |error: Source| StoreError::Unavailable(error);
    let text = path
        .to_str()
        .ok_or_else(|| unavailable("the path of the database is not valid UTF-8".into()))?;
    let mut connection =
        SqliteConnection::establish(text).map_err(|error| unavailable(error.into()))?;
    let wait = BUSY_TIMEOUT.as_millis();
    connection
        .batch_execute(&format!("PRAGMA busy_timeout = {wait}"))
        .map_err(error::store)?;
    Ok(connection)
}

/// Enables the write-ahead log. If two processes do so at the same moment, SQLite reports a lock
/// without waiting for it, so this function retries.
fn use_wal(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    let start = Instant::now();
    loop {
        let result = connection.batch_execute("PRAGMA journal_mode = WAL");
        match result.map_err(error::store) {
            Err(StoreError::Unavailable(_)) if start.elapsed() < BUSY_TIMEOUT => {
                thread::sleep(Duration::from_millis(10));
            }
            result => return result,
        }
    }
}

/// Applies pending migrations while holding the write lock, so that of several processes one
/// migrates and the others find nothing to do. A file from a newer program is refused.
fn migrate(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    connection
        .immediate_transaction(|connection| -> Result<(), MigrationError> {
            connection.run_pending_migrations(MIGRATIONS)?;
            let ours = known_versions()?;
            let applied = connection.applied_migrations()?;
            if applied
                .iter()
                .all(|version| ours.contains(&version.to_string()))
            {
                Ok(())
            } else {
                Err(MigrationError::Migration(
                    "the database was migrated by a newer version of this program".into(),
                ))
            }
        })
        .map_err(|error| match error {
            MigrationError::Diesel(error) => error::store(error),
            MigrationError::Migration(error) => StoreError::Failed(error),
        })
}

/// The versions of the migrations that this program contains.
fn known_versions() -> Result<Vec<String>, Source> {
    let all = MigrationSource::<Sqlite>::migrations(&MIGRATIONS)?;
    let versions = all.iter().map(|migration| migration.name().version());
    Ok(versions.map(|version| version.to_string()).collect())
}

enum MigrationError {
    Diesel(diesel::result::Error),
    Migration(Source),
}

impl From<diesel::result::Error> for MigrationError {
    fn from(error: diesel::result::Error) -> Self {
        Self::Diesel(error)
    }
}

impl From<Source> for MigrationError {
    fn from(error: Source) -> Self {
        Self::Migration(error)
    }
}

/// The read connections of a store, one per thread.
///
/// A read by primary key takes a few tens of microseconds from the page cache, less than handing it
/// to another thread and back; and readers never wait for the writer (WAL).
pub(crate) struct ReadConnections {
    path: PathBuf,
    /// Alive as long as the store: other threads close their connections when it is gone.
    alive: Arc<()>,
}

struct ReadConnection {
    store: Weak<()>,
    connection: SqliteConnection,
}

thread_local! {
    static READ_CONNECTIONS: RefCell<Vec<ReadConnection>> = const { RefCell::new(Vec::new()) };
}

impl ReadConnections {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self {
            path,
            alive: Arc::new(()),
        }
    }

    /// Reads with this thread's connection; after a failure it is closed, so that the next read
    /// opens a new one. `read` must not read from the store again.
    pub(crate) fn read<T>(
        &self,
        read: impl FnOnce(&mut SqliteConnection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut connection = match self.take() {
            Some(connection) => connection,
            None => open_reader(&self.path)?,
        };
        let result = read(&mut connection);
        if !matches!(
            result,
            Err(StoreError::Unavailable(_) | StoreError::Failed(_))
        ) {
            self.return_connection(connection);
        }
        result
    }

    fn take(&self) -> Option<SqliteConnection> {
        READ_CONNECTIONS.with_borrow_mut(|read_connections| {
            let ours = |reader: &ReadConnection| reader.store.as_ptr() == Arc::as_ptr(&self.alive);
            let at = read_connections.iter().position(ours)?;
            Some(read_connections.swap_remove(at).connection)
        })
    }

    fn return_connection(&self, connection: SqliteConnection) {
        READ_CONNECTIONS.with_borrow_mut(|read_connections| {
            read_connections.retain(|reader| reader.store.strong_count() > 0);
            read_connections.push(ReadConnection {
                store: Arc::downgrade(&self.alive),
                connection,
            });
        });
    }
}
