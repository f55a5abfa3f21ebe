//! Why a use case was refused or failed.

use oncharge_domain::{
    merchant::{MAX_ACTIVE_KEYS, MAX_ENDING_KEYS},
    session::{InProgress, Refusal, StatusName},
};
use oncharge_ports::{CommitError, StoreError};

/// Why a use case was refused or failed; the HTTP adapter gives each its code and status.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The first request with this idempotency key is still being processed.
    #[error("the first request with this idempotency key is still being processed")]
    IdempotencyConflict,
    /// The idempotency key was used for another request.
    #[error("the idempotency key was used for another request")]
    IdempotencyKeyReused,
    /// The merchant's settings demand an idempotency key here.
    #[error("an idempotency key is required")]
    IdempotencyKeyRequired,
    /// The shopper is on the shared blocklist.
    #[error("the shopper is on the shared blocklist")]
    GlobalBan,
    /// The merchant is disabled: no new sessions and no new payments.
    #[error("the merchant is disabled")]
    MerchantDisabled,
    /// The merchant has no such object.
    #[error("not found")]
    NotFound,
    /// The pay token is missing, malformed, of another session or expired.
    #[error("the pay token is invalid")]
    BadPayToken,
    /// The page cursor was not issued for this merchant and list.
    #[error("the cursor is invalid")]
    BadCursor,
    /// A notification's signature is missing or invalid.
    #[error("the notification's signature is invalid")]
    Unverified,
    /// The merchant has no enabled webhook endpoint.
    #[error("there is no enabled webhook endpoint")]
    NoEndpoint,
    /// The key that signed the request is in its grace period, or has just ended; its successor
    /// must be used.
    #[error("the key that signed the request is in its grace period: use its successor")]
    KeyIsEnding,
    /// The key is the merchant's last active one.
    #[error("the key is the merchant's last active key")]
    LastActiveKey,
    /// The merchant has the maximum number of active keys.
    #[error(
        "the merchant has the maximum of {} active keys: revoke one first",
        MAX_ACTIVE_KEYS
    )]
    TooManyKeys,
    /// A rotation with a grace period while the maximum number of keys are in theirs.
    #[error(
        "the merchant has the maximum of {} API keys in their grace period: revoke one first",
        MAX_ENDING_KEYS
    )]
    TooManyEndingKeys,
    /// The session's status does not allow it.
    #[error("not possible while the session is {}", .0.name())]
    InvalidState(StatusName),
    /// Another operation of the session must end first.
    #[error("not possible while {} is in progress", .0.text())]
    InProgress(InProgress),
    /// The refunds would exceed the captured amount; contains the minor units that can still be
    /// refunded.
    #[error("the refunds would exceed the captured amount")]
    RefundExceedsCaptured(i64),
    /// The capture would exceed the authorized amount, given in minor units.
    #[error("the amount exceeds the authorized amount")]
    CaptureExceedsAuthorized(i64),
    /// The PSP account is not configured.
    #[error("the PSP account is not configured")]
    UnknownPspAccount,
    /// A field that only the use case can validate.
    #[error("{field} {problem}")]
    Field {
        /// The field's name.
        field: &'static str,
        /// What is wrong with it, without its value.
        problem: &'static str,
    },
    /// The PSP definitely could not be reached; safe to retry.
    #[error("the payment processor cannot be reached")]
    PspUnavailable,
    /// Another worker has already committed it; nothing was written.
    #[error("another worker has already done it")]
    Overtaken,
    /// Overload, or the store is unavailable; nothing was written, safe to retry.
    #[error("too busy, nothing was written")]
    Busy(#[source] Option<Source>),
    /// An internal error.
    #[error("internal error")]
    Internal(#[source] Source),
}

type Source = Box<dyn std::error::Error + Send + Sync>;

impl Error {
    /// An internal error, with its cause for the log.
    pub(crate) fn internal(cause: impl Into<Source>) -> Self {
        Self::Internal(cause.into())
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unreachable(_) | StoreError::Unavailable(_) => {
                Self::Busy(Some(error.into()))
            }
            StoreError::Corrupt { .. } | StoreError::Failed(_) => Self::internal(error),
        }
    }
}

impl From<CommitError> for Error {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Store(error) => error.into(),
            CommitError::Conflict => Self::Busy(None),
            CommitError::IdempotencyKeyTaken => Self::IdempotencyConflict,
            CommitError::AlreadyHandled | CommitError::LeaseLost => Self::Overtaken,
            CommitError::OutcomeUnknown => Self::internal(error),
        }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::InvalidState(status) => Self::InvalidState(status),
            Refusal::InProgress(operation) => Self::InProgress(operation),
            Refusal::RefundExceedsCaptured(left) => Self::RefundExceedsCaptured(left.minor()),
            Refusal::CaptureExceedsAuthorized(most) => Self::CaptureExceedsAuthorized(most.minor()),
            Refusal::CurrencyMismatch => Self::Field {
                field: "currency",
                problem: "must be the session's currency",
            },
            Refusal::Inconsistent(_) => Self::internal(refusal),
        }
    }
}
