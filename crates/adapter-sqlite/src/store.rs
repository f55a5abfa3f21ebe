//! The store on SQLite: its connections and the keys that seal data.

use std::{path::Path, sync::Arc};

use diesel::SqliteConnection;
use oncharge_domain::keyring::Keyring;
use oncharge_ports::{Clock, CommitError, Entropy, StoreError};
use oncharge_store_rows::seal::Sealer;

use crate::{
    migrations,
    pool::ReadConnections,
    writer::{Priority, Writer},
};

/// The store on one SQLite file. Cheap to clone; dropping the last clone ends its thread.
///
/// Writes are units of work: sealed rows are built on the caller's thread, then written one unit
/// after the other on the writer thread, each in its own `BEGIN IMMEDIATE`, and durable before the
/// call returns. Reads run on the calling thread, with one connection per thread. Other processes
/// may use the same file at the same time; their locks are waited for, at most five seconds.
#[derive(Clone)]
pub struct SqliteStore(Arc<Inner>);

struct Inner {
    read_connections: ReadConnections,
    writer: Writer,
    sealer: Sealer,
    entropy: Arc<dyn Entropy>,
    clock: Arc<dyn Clock>,
}

impl SqliteStore {
    /// Opens the file at `path` and migrates it; creates it if it does not exist (mode 0600).
    ///
    /// The directory must exist. `keys` seal data that must not be readable in the file, with
    /// nonces from `entropy`; `clock` determines what is due: all processes on the file run on this
    /// machine and share its clock.
    ///
    /// Errors with `Unavailable` if the file cannot be opened or stays locked, with `Failed` if it
    /// is not one of our databases or belongs to a newer program.
    pub fn open(
        path: impl AsRef<Path>,
        keys: Keyring,
        entropy: Arc<dyn Entropy>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, StoreError> {
        // An absolute path refers to the same file for later connections, and has no special
        // meaning to SQLite.
        let path = std::path::absolute(path.as_ref())
            .map_err(|error| StoreError::Unavailable(error.into()))?;
        let connection = migrations::open_migrated(&path)?;
        Ok(Self(Arc::new(Inner {
            writer: Writer::start(path.clone(), connection)?,
            read_connections: ReadConnections::new(path),
            sealer: Sealer::new(keys, Arc::clone(&entropy)),
            entropy,
            clock,
        })))
    }

    /// Reads on the calling thread.
    pub(crate) fn read<T>(
        &self,
        read: impl FnOnce(&mut SqliteConnection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.0.read_connections.read(read)
    }

    /// Writes on the writer thread, in a transaction of its own.
    pub(crate) async fn write<T, F>(&self, priority: Priority, work: F) -> Result<T, CommitError>
    where
        F: FnOnce(&mut SqliteConnection) -> Result<T, CommitError> + Send + 'static,
        T: Send + 'static,
    {
        self.0.writer.write(priority, work).await
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.0.clock
    }

    pub(crate) fn entropy(&self) -> &dyn Entropy {
        &*self.0.entropy
    }

    pub(crate) fn sealer(&self) -> &Sealer {
        &self.0.sealer
    }
}

impl std::fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SqliteStore")
    }
}

#[cfg(test)]
mod tests;
