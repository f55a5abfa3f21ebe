//! How a store can fail.

/// A read, or a write outside a unit of work, failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No server answers at the database's address, or it is starting or in recovery: waiting may
    /// help. Only opening a store fails like this.
    #[error("the database is unreachable")]
    Unreachable(#[source] Source),
    /// The store cannot be reached or is too busy; nothing was written.
    #[error("the store is unavailable")]
    Unavailable(#[source] Source),
    /// A row cannot be read back.
    #[error("{table}.{column} of row {row} cannot be read")]
    Corrupt {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// The row's id as text.
        row: String,
    },
    /// Anything else: a fault of ours.
    #[error("the store failed")]
    Failed(#[source] Source),
}

/// The cause of a failure, for the log.
pub type Source = Box<dyn std::error::Error + Send + Sync>;

/// A unit of work was not committed, or it is not known whether it was.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// Somebody else has changed the session since it was read; nothing was written.
    #[error("the session has changed since it was read")]
    Conflict,
    /// The idempotency key is taken; nothing was written.
    #[error("the idempotency key is taken")]
    IdempotencyKeyTaken,
    /// The PSP's notification was handled before; nothing was written.
    #[error("the notification was handled before")]
    AlreadyHandled,
    /// The worker's lease is over or another's; nothing was written.
    #[error("the lease is lost")]
    LeaseLost,
    /// The connection was lost during the commit, or the commit is not as durable as it has to be:
    /// look again, never assume.
    #[error("it is not known whether the unit was committed")]
    OutcomeUnknown,
    /// The store failed before the commit; nothing was written.
    #[error(transparent)]
    Store(#[from] StoreError),
}
