//! Connections to the file: settings, and one read connection per thread.

use std::{
    cell::RefCell,
    path::{Path, PathBuf},
    sync::{Arc, Weak},
    thread,
    time::{Duration, Instant},
};

use diesel::{Connection, SqliteConnection, connection::SimpleConnection};
use oncharge_ports::{StoreError, error::Source};

use crate::error;

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
