//! What went wrong, told apart by what the caller may conclude from it.

use diesel::result::{DatabaseErrorInformation, DatabaseErrorKind, Error as DieselError};
use oncharge_ports::{CommitError, StoreError, error::Source};

/// A statement failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// A row with these values is there already; the constraint that says so.
    Unique(String, DieselError),
    /// Another transaction was in the way.
    Conflict(DieselError),
    /// The connection is gone, the server is going down, full or too slow.
    Unavailable(Source),
    /// A fault of ours.
    Other(DieselError),
}

/// What PostgreSQL says (with `lc_messages` C) when it cannot serve us now. Diesel does not hand
/// on the error's code, only its text.
const TRANSIENT_MESSAGES: [&str; 9] = [
    "terminating connection",
    "canceling statement",
    "canceling authentication",
    "the database system is",
    "too many connections",
    "too many clients",
    "remaining connection slots",
    "No space left on device",
    "out of memory",
];

impl Failure {
    /// What this error of a statement means.
    pub(crate) fn of(error: DieselError) -> Self {
        let DieselError::DatabaseError(kind, information) = &error else {
            return Self::Other(error);
        };
        match kind {
            DatabaseErrorKind::UniqueViolation => {
                let constraint = information.constraint_name().unwrap_or_default().to_owned();
                Self::Unique(constraint, error)
            }
            DatabaseErrorKind::SerializationFailure => Self::Conflict(error),
            DatabaseErrorKind::UnableToSendCommand
            | DatabaseErrorKind::ClosedConnection
            // A server that has just become a standby.
            | DatabaseErrorKind::ReadOnlyTransaction => Self::Unavailable(error.into()),
            _ if is_deadlock(information.as_ref()) => Self::Conflict(error),
            DatabaseErrorKind::Unknown if is_transient(information.as_ref()) => {
                Self::Unavailable(error.into())
            }
            _ => Self::Other(error),
        }
    }

    /// Whether the server answered and surely undid what was asked: with this, a `COMMIT` was no
    /// commit. Anything else leaves its outcome open.
    pub(crate) fn is_rolled_back(&self) -> bool {
        match self {
            Self::Unique(..) | Self::Conflict(_) => true,
            Self::Unavailable(_) => false,
            Self::Other(error) => matches!(
                error,
                DieselError::DatabaseError(
                    DatabaseErrorKind::ForeignKeyViolation
                        | DatabaseErrorKind::NotNullViolation
                        | DatabaseErrorKind::CheckViolation
                        | DatabaseErrorKind::RestrictViolation
                        | DatabaseErrorKind::ExclusionViolation,
                    _
                )
            ),
        }
    }
}

fn is_deadlock(information: &dyn DatabaseErrorInformation) -> bool {
    information.message() == "deadlock detected"
}

fn is_transient(information: &dyn DatabaseErrorInformation) -> bool {
    let message = information.message();
    TRANSIENT_MESSAGES.iter().any(|text| message.contains(text))
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Unavailable(source) => Self::Unavailable(source),
            // Nothing was written; the same again may go through.
            Failure::Conflict(error) => Self::Unavailable(error.into()),
            Failure::Unique(_, error) | Failure::Other(error) => Self::Failed(error.into()),
        }
    }
}

impl From<Failure> for CommitError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Unique(constraint, _) if constraint == "idempotency_keys_pkey" => {
                Self::IdempotencyKeyTaken
            }
            // Somebody else has created or changed this session, taken the event's number, has an
            // operation in flight or used the token: look again.
            Failure::Unique(..) | Failure::Conflict(_) => Self::Conflict,
            failure => Self::Store(failure.into()),
        }
    }
}

/// A row's column that cannot be read back.
pub(crate) fn corrupt(
    table: &'static str,
    column: &'static str,
    row: impl Into<String>,
) -> StoreError {
    StoreError::Corrupt {
        table,
        column,
        row: row.into(),
    }
}
