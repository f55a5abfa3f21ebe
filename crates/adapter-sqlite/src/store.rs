//! The store: opening it, and its implementation of the checkout repository.

use std::{path::Path, sync::Arc};

use async_trait::async_trait;
use diesel::SqliteConnection;
use oncharge_domain::{
    cursor::Position,
    id::{OperationId, RefundId, SessionId},
    keyring::Keyring,
    operation::Operation,
    psp::TokenFingerprint,
    refund::Refund,
    session::Session,
    time::Timestamp,
};
use oncharge_ports::{
    CheckoutRepository, Clock, CommitError, Entropy, StoreError, UnitOfWork,
    psp::PreparedRequest,
    queries::{EventFilter, Page, RefundFilter, SessionFilter, StoredEvent},
    unit_of_work::{IdempotencyRecord, IdempotencyScope, IdempotencyWrite},
};

use crate::{
    commit::UnitRows,
    idempotency::KeyRows,
    pool::{self, ReadConnections},
    queries,
    seal::Sealer,
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
        let connection = pool::open_migrated(&path)?;
        Ok(Self(Arc::new(Inner {
            writer: Writer::start(path.clone(), connection)?,
            read_connections: ReadConnections::new(path),
            sealer: Sealer::new(keys, entropy),
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

    pub(crate) fn sealer(&self) -> &Sealer {
        &self.0.sealer
    }
}

impl std::fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SqliteStore")
    }
}

#[async_trait]
impl CheckoutRepository for SqliteStore {
    async fn session(&self, id: SessionId) -> Result<Option<Session>, StoreError> {
        self.read(|connection| queries::session(connection, id, self.sealer()))
    }

    async fn operation(&self, id: OperationId) -> Result<Option<Operation>, StoreError> {
        self.read(|connection| queries::operation(connection, id))
    }

    async fn request(&self, id: OperationId) -> Result<Option<PreparedRequest>, StoreError> {
        self.read(|connection| queries::request(connection, id, self.sealer()))
    }

    async fn has_attempt(
        &self,
        session: SessionId,
        token: TokenFingerprint,
    ) -> Result<bool, StoreError> {
        self.read(|connection| queries::has_attempt(connection, session, token))
    }

    async fn refund(&self, id: RefundId) -> Result<Option<Refund>, StoreError> {
        self.read(|connection| queries::refund(connection, id))
    }

    async fn unsent_refunds(
        &self,
        session: SessionId,
    ) -> Result<Vec<(Refund, Operation)>, StoreError> {
        self.read(|connection| queries::unsent_refunds(connection, session))
    }

    async fn key(&self, scope: &IdempotencyScope) -> Result<Option<IdempotencyRecord>, StoreError> {
        self.read(|connection| queries::key(connection, scope, self.sealer()))
    }

    async fn reserved_key(
        &self,
        operation: OperationId,
    ) -> Result<Option<IdempotencyScope>, StoreError> {
        self.read(|connection| queries::reserved_key(connection, operation))
    }

    async fn sessions(
        &self,
        filter: &SessionFilter,
        page: Page,
    ) -> Result<Vec<Session>, StoreError> {
        self.read(|connection| queries::sessions(connection, filter, page, self.sealer()))
    }

    async fn refunds(&self, filter: &RefundFilter, page: Page) -> Result<Vec<Refund>, StoreError> {
        self.read(|connection| queries::refunds(connection, filter, page))
    }

    async fn events(
        &self,
        filter: &EventFilter,
        page: Page,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        self.read(|connection| queries::events(connection, filter, page))
    }

    async fn operations(
        &self,
        since: Timestamp,
        after: Option<Position>,
        limit: u32,
    ) -> Result<Vec<Operation>, StoreError> {
        self.read(|connection| queries::operations(connection, since, after, limit))
    }

    async fn write_idempotency_record(&self, key: IdempotencyWrite) -> Result<(), CommitError> {
        let rows = KeyRows::of(&key, self.sealer())?;
        self.write(Priority::Request, |connection| rows.write(connection))
            .await
    }

    async fn commit(&self, unit: UnitOfWork) -> Result<(), CommitError> {
        let priority = match unit.lease {
            Some(_) => Priority::Worker,
            None => Priority::Request,
        };
        let rows = UnitRows::of(&unit, self.sealer())?;
        self.write(priority, |connection| rows.write(connection))
            .await
    }

    async fn is_committed(&self, unit: &UnitOfWork) -> Result<bool, StoreError> {
        self.read(|connection| queries::is_committed(connection, unit))
    }
}

#[cfg(test)]
mod tests;
