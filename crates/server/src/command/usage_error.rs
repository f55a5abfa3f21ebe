//! What the caller of a command has written is not acceptable.

use std::fmt::Display;

/// A fault of the caller's, which ends the process with 2; the text names the argument and does
/// not repeat its value, which may be a person's.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct UsageError(pub(super) String);

/// Turns a value's problem into the caller's fault.
pub(super) trait OrUsageError<T> {
    /// The value, or what is wrong with this argument.
    fn or_usage_error(self, argument: &str) -> anyhow::Result<T>;
}

impl<T, E: Display> OrUsageError<T> for Result<T, E> {
    fn or_usage_error(self, argument: &str) -> anyhow::Result<T> {
        self.map_err(|problem| UsageError(format!("{argument}: {problem}")).into())
    }
}

impl<T> OrUsageError<T> for Option<T> {
    fn or_usage_error(self, problem: &str) -> anyhow::Result<T> {
        self.ok_or_else(|| UsageError(problem.to_owned()).into())
    }
}
