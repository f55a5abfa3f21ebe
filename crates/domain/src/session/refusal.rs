//! Why a session refuses an input; a refused input changes nothing.

use crate::{
    money::Money,
    session::{InFlightKind, StatusName},
};

/// Why an input was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The status does not allow it.
    #[error("not possible while the session is {}", .0.name())]
    InvalidState(StatusName),
    /// Another operation must end first.
    #[error("not possible while {} is in progress", .0.text())]
    InProgress(InProgress),
    /// The refunds would exceed the captured amount; contains the amount that can still be
    /// refunded.
    #[error("the refunds would exceed the captured amount")]
    RefundExceedsCaptured(Money),
    /// The capture would exceed the authorized amount, which it contains.
    #[error("the amount exceeds the authorized amount")]
    CaptureExceedsAuthorized(Money),
    /// The currency is not the session's.
    #[error("the currency differs from the session's")]
    CurrencyMismatch,
    /// State and input contradict each other: an internal error, nothing may be guessed.
    #[error("state and input contradict each other: {0}")]
    Inconsistent(&'static str),
}

/// The operation that must end first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum InProgress {
    /// An attempt to pay.
    Attempt,
    /// A capture.
    Capture,
    /// A cancel.
    Cancel,
}

impl InProgress {
    /// The name with its article, for messages.
    pub fn text(self) -> &'static str {
        match self {
            Self::Attempt => "a payment attempt",
            Self::Capture => "a capture",
            Self::Cancel => "a cancel",
        }
    }
}

impl From<InFlightKind> for InProgress {
    fn from(kind: InFlightKind) -> Self {
        match kind {
            InFlightKind::Capture => Self::Capture,
            InFlightKind::Cancel => Self::Cancel,
        }
    }
}

impl From<crate::money::MoneyError> for Refusal {
    fn from(_: crate::money::MoneyError) -> Self {
        Self::Inconsistent("amounts do not add up")
    }
}
