//! Why a session refuses an input; nothing is changed then.

use crate::session::StatusName;

/// Why an input was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The status does not allow it.
    #[error("not possible while the session is {}", .0.name())]
    InvalidState(StatusName),
    /// The refunds would exceed what was captured.
    #[error("the refunds would exceed the captured amount")]
    RefundExceedsCaptured,
    /// More than was authorised.
    #[error("the amount exceeds the authorized amount")]
    CaptureExceedsAuthorized,
    /// The currency is not the session's.
    #[error("the currency is not the session's")]
    CurrencyMismatch,
    /// State and input contradict each other: a fault of ours, nothing may be guessed.
    #[error("state and input contradict each other: {0}")]
    Inconsistent(&'static str),
}

impl From<crate::money::MoneyError> for Refusal {
    fn from(_: crate::money::MoneyError) -> Self {
        Self::Inconsistent("amounts do not add up")
    }
}
