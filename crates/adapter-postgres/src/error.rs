//! Failures of statements, classified by what the caller may conclude from them.

use diesel::result::{DatabaseErrorInformation, DatabaseErrorKind, Error as DieselError};
use oncharge_ports::{CommitError, StoreError, error::Source};

/// Why a statement failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// A row with these values exists already; the name of the violated constraint.
    Unique(String, DieselError),
    /// A conflict with a concurrent transaction.
    Conflict(DieselError),
    /// The connection is lost, or the server is shutting down, full or too slow.
    Unavailable(Source),
    /// A bug.
    Other(DieselError),
}

/// PostgreSQL's messages (with `lc_messages` C) for transient unavailability. Diesel exposes only
/// an error's text, not its code.
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
    /// Classifies the error of a statement.
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
            // The server has become a standby.
            | DatabaseErrorKind::ReadOnlyTransaction => Self::Unavailable(error.into()),
            _ if is_deadlock(information.as_ref()) => Self::Conflict(error),
            DatabaseErrorKind::Unknown if is_transient(information.as_ref()) => {
                Self::Unavailable(error.into())
            }
            _ => Self::Other(error),
        }
    }

    /// Whether the server answered and certainly rolled back: after such an error a `COMMIT` has
    /// not committed. After any other error its outcome is unknown.
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
            // Nothing was written; a retry may succeed.
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
            // Another process has created or changed this session, used the event's number or the
            // token, or has an operation in flight: the caller must reload.
            Failure::Unique(..) | Failure::Conflict(_) => Self::Conflict,
            failure => Self::Store(failure.into()),
        }
    }
}

/// The error for a value that no column can hold: a bug.
pub(crate) fn conversion_error(
    error: impl std::error::Error + Send + Sync + 'static,
) -> StoreError {
    StoreError::Failed(Box::new(error))
}
