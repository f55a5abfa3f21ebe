//! What SQLite's errors mean to a port.
//!
//! Diesel hands on SQLite's message, but not its code, so that messages are told apart by text;
//! they come from SQLite's own table of error strings and are stable.

use diesel::result::{DatabaseErrorKind, Error};
use oncharge_ports::{CommitError, StoreError};

/// SQLite's words for what passes or what an operator can end: locks, a full or failing disk.
const PASSING: [&str; 8] = [
    "database is locked",
    "database table is locked",
    "locking protocol",
    "database or disk is full",
    "disk I/O error",
    "unable to open database file",
    "attempt to write a readonly database",
    "out of memory",
];

/// A statement failed: nothing is written by it, and its transaction will be rolled back.
pub(crate) fn store(error: Error) -> StoreError {
    match &error {
        Error::DatabaseError(DatabaseErrorKind::Unknown, information)
            if PASSING
                .iter()
                .any(|text| information.message().contains(text)) =>
        {
            StoreError::Unavailable(error.into())
        }
        _ => StoreError::Failed(error.into()),
    }
}

/// A statement of a unit of work failed. A session that exists already says that another commit was
/// faster; any other broken constraint is a fault of ours.
pub(crate) fn commit(error: Error) -> CommitError {
    const FASTER: &str = "UNIQUE constraint failed: sessions.id";
    match &error {
        Error::DatabaseError(DatabaseErrorKind::UniqueViolation, information)
            if information.message() == FASTER =>
        {
            CommitError::Conflict
        }
        _ => CommitError::Store(store(error)),
    }
}

/// `COMMIT` itself failed. A lock or a full disk is met before the commit record is complete; after
/// any other failure (an fsync that broke) the record may or may not survive, unless it was written
/// over since (`surely_not`).
pub(crate) fn at_commit(error: Error, surely_not: bool) -> CommitError {
    const NEVER: [&str; 2] = ["database is locked", "database or disk is full"];
    match &error {
        Error::DatabaseError(_, information)
            if surely_not
                || NEVER
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

/// What a write outside a unit of work answers.
pub(crate) fn outside_a_unit(error: CommitError) -> StoreError {
    match error {
        CommitError::Store(error) => error,
        other => StoreError::Failed(other.into()),
    }
}

/// A rule that a caller must keep is broken; nothing is written.
pub(crate) fn broken(rule: &'static str) -> StoreError {
    StoreError::Failed(rule.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(kind: DatabaseErrorKind, message: &str) -> Error {
        Error::DatabaseError(kind, Box::new(message.to_owned()))
    }

    #[test]
    fn what_passes_is_unavailable_and_the_rest_is_a_fault() {
        for text in PASSING {
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
    fn a_commit_that_broke_is_called_unavailable_only_where_it_is_surely_gone() {
        let ended = |text, surely_not| {
            let mapped = at_commit(error(DatabaseErrorKind::Unknown, text), surely_not);
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
