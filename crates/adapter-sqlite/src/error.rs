//! Maps SQLite's errors to those of the ports.
//!
//! Diesel exposes SQLite's message but not its code, so errors are identified by text; the texts
//! come from SQLite's own table of error strings and are stable.

use diesel::result::{DatabaseErrorKind, Error};
use oncharge_ports::{CommitError, StoreError};

/// SQLite's messages for conditions that pass or that an operator can end: locks, a full or failing
/// disk.
const TRANSIENT_MESSAGES: [&str; 8] = [
    "database is locked",
    "database table is locked",
    "locking protocol",
    "database or disk is full",
    "disk I/O error",
    "unable to open database file",
    "attempt to write a readonly database",
    "out of memory",
];

/// Maps a failed statement: it has written nothing, and its transaction will be rolled back.
pub(crate) fn store(error: Error) -> StoreError {
    match &error {
        Error::DatabaseError(DatabaseErrorKind::Unknown, information)
            if TRANSIENT_MESSAGES
                .iter()
                .any(|text| information.message().contains(text)) =>
        {
            StoreError::Unavailable(error.into())
        }
        _ => StoreError::Failed(error.into()),
    }
}

/// Maps a failed statement of a unit of work. A session that exists already means that another
/// commit was faster; any other violated constraint is a bug.
pub(crate) fn commit(error: Error) -> CommitError {
    const SESSION_EXISTS: &str = "UNIQUE constraint failed: sessions.id";
    match &error {
        Error::DatabaseError(DatabaseErrorKind::UniqueViolation, information)
            if information.message() == SESSION_EXISTS =>
        {
            CommitError::Conflict
        }
        _ => CommitError::Store(store(error)),
    }
}

/// Maps a failed `COMMIT`. A lock or a full disk is detected before the commit record is complete;
/// after any other failure (such as a failed fsync) the record may or may not survive, unless it
/// has been overwritten since (`is_overwritten`).
pub(crate) fn at_commit(error: Error, is_overwritten: bool) -> CommitError {
    const NOT_COMMITTED: [&str; 2] = ["database is locked", "database or disk is full"];
    match &error {
        Error::DatabaseError(_, information)
            if is_overwritten
                || NOT_COMMITTED
                    .iter()
                    .any(|text| information.message().contains(text)) =>
        {
            CommitError::Store(store(error))
        }
        _ => {
            tracing::error!(%error, "a transaction's COMMIT failed");
            CommitError::OutcomeUnknown
        }
    }
}

/// Maps the error of a write outside a unit of work.
pub(crate) fn into_store_error(error: CommitError) -> StoreError {
    match error {
        CommitError::Store(error) => error,
        other => StoreError::Failed(other.into()),
    }
}

/// A caller violated a precondition; nothing is written.
pub(crate) fn rule_violation(rule: &'static str) -> StoreError {
    StoreError::Failed(rule.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(kind: DatabaseErrorKind, message: &str) -> Error {
        Error::DatabaseError(kind, Box::new(message.to_owned()))
    }

    #[test]
    fn transient_errors_are_unavailable_and_others_are_failures() {
        for text in TRANSIENT_MESSAGES {
            let mapped = store(error(DatabaseErrorKind::Unknown, text));
            assert!(matches!(mapped, StoreError::Unavailable(_)), "{text}");
        }
        for text in [
            "database disk image is malformed",
            "no such table: sessions",
        ] {
            let mapped = store(error(DatabaseErrorKind::Unknown, text));
            assert!(matches!(mapped, StoreError::Failed(_)), "{text}");
        }
    }

    #[test]
    fn a_failed_commit_is_unavailable_only_if_it_was_overwritten() {
        let ended = |text, is_overwritten| {
            let mapped = at_commit(error(DatabaseErrorKind::Unknown, text), is_overwritten);
            match mapped {
                CommitError::OutcomeUnknown => "unknown",
                CommitError::Store(StoreError::Unavailable(_)) => "unavailable",
                _ => "failed",
            }
        };
        assert_eq!(ended("database or disk is full", false), "unavailable");
        assert_eq!(ended("disk I/O error", false), "unknown");
        assert_eq!(ended("disk I/O error", true), "unavailable");
    }

    #[test]
    fn a_session_created_twice_is_a_conflict() {
        let twice = "UNIQUE constraint failed: sessions.id";
        let mapped = commit(error(DatabaseErrorKind::UniqueViolation, twice));
        assert!(matches!(mapped, CommitError::Conflict));
        let number = "UNIQUE constraint failed: events.session_id, events.sequence";
        let mapped = commit(error(DatabaseErrorKind::UniqueViolation, number));
        assert!(matches!(mapped, CommitError::Store(StoreError::Failed(_))));
    }
}
