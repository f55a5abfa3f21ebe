//! Invalid arguments of a command.

use std::fmt::Display;

/// An invalid argument; the process exits with 2. The text names the argument but not its value,
/// which may be personal data.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct UsageError(pub(super) String);

/// Converts a missing or invalid value to a usage error.
pub(super) trait OrUsageError<T> {
    /// The value, or an error that names this argument.
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
