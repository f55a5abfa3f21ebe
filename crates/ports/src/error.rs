//! How a store can fail.

/// Why a read, or a write outside a unit of work, failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No server answers at the database's address, or it is starting up or in recovery: a retry
    /// may succeed. Returned only when a store is opened.
    #[error("the database is unreachable")]
    Unreachable(#[source] Source),
    /// The store cannot be reached or is overloaded; nothing was written.
    #[error("the store is unavailable")]
    Unavailable(#[source] Source),
    /// A stored row cannot be decoded.
    #[error("{table}.{column} of row {row} cannot be read")]
    Corrupt {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// The row's id as text.
        row: String,
    },
    /// Any other failure: an internal error.
    #[error("the store failed")]
    Failed(#[source] Source),
}

/// The cause of a failure, for the log.
pub type Source = Box<dyn std::error::Error + Send + Sync>;

/// Why a unit of work was not committed, or its outcome is unknown.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// The session was changed since it was read; nothing was written.
    #[error("the session has changed since it was read")]
    Conflict,
    /// The idempotency key is taken; nothing was written.
    #[error("the idempotency key is already in use")]
    IdempotencyKeyTaken,
    /// The PSP's notification was already handled; nothing was written.
    #[error("the notification has already been handled")]
    AlreadyHandled,
    /// The worker's lease has expired or belongs to another worker; nothing was written.
    #[error("the lease is lost")]
    LeaseLost,
    /// The connection was lost during the commit, or the commit is not yet as durable as required:
    /// the caller must check again, never assume.
    #[error("it is unknown whether the unit of work was committed")]
    OutcomeUnknown,
    /// The store failed before the commit; nothing was written.
    #[error(transparent)]
    Store(#[from] StoreError),
}
