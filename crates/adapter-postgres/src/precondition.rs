//! The preconditions of a batch, and what it means for a commit that one failed.

use oncharge_ports::{CommitError, StoreError};

use crate::batch::BatchError;

/// The precondition that failed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Precondition {
    /// The session's version has changed.
    Version,
    /// The lease has expired or belongs to another worker.
    Lease,
    /// The idempotency key is taken.
    Key,
    /// The notification is no longer waiting.
    NotificationWaiting,
    /// A row to be updated does not exist: a bug of the caller.
    RowExists(&'static str),
}

/// Maps a failed batch to the error for the caller of a commit.
pub(crate) fn commit_error(error: BatchError<Precondition>) -> CommitError {
    match error {
        BatchError::PreconditionFailed(Precondition::Version) => CommitError::Conflict,
        BatchError::PreconditionFailed(Precondition::Lease) => CommitError::LeaseLost,
        BatchError::PreconditionFailed(Precondition::Key) => CommitError::IdempotencyKeyTaken,
        BatchError::PreconditionFailed(Precondition::NotificationWaiting) => {
            CommitError::AlreadyHandled
        }
        BatchError::PreconditionFailed(Precondition::RowExists(row)) => {
            let text = format!("{row} to update is missing");
            CommitError::Store(StoreError::Failed(text.into()))
        }
        BatchError::Failed(failure) => failure.into(),
        BatchError::OutcomeUnknown(failure) => {
            tracing::warn!(?failure, "the connection was lost during a commit");
            CommitError::OutcomeUnknown
        }
    }
}

/// As [`commit_error`], for commits that change no session, where a conflict is not about a
/// session.
pub(crate) fn commit_error_outside_session(error: BatchError<Precondition>) -> CommitError {
    match error {
        BatchError::Failed(failure) => CommitError::Store(failure.into()),
        error => commit_error(error),
    }
}
