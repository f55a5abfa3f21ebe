//! Logging to standard error, as text or JSON, without secrets.

mod json;
mod mask;
mod panic;

use std::io::{IsTerminal, Write};

use serde::Serialize;
use tracing_subscriber::EnvFilter;

use self::{
    json::{JsonLine, JsonMembers},
    mask::MaskingWriter,
};

/// Targets capped regardless of the filter: at `debug` and `trace` they log the data they carry,
/// such as statement parameters, headers and URLs.
const LIMITED_TARGETS: [&str; 6] = [
    "tokio_postgres=info",
    "h2=info",
    "hyper=info",
    "hyper_util=info",
    "reqwest=info",
    "rustls=info",
];

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// For people.
    Pretty,
    /// One JSON object a line.
    Json,
}

/// Starts logging; further calls have no effect.
pub(crate) fn start(format: LogFormat, filter: &str) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(format!("{filter},{}", LIMITED_TARGETS.join(",")))?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(|| MaskingWriter(std::io::stderr()));
    let started = match format {
        LogFormat::Json => builder
            .fmt_fields(JsonMembers)
            .event_format(JsonLine)
            .try_init(),
        LogFormat::Pretty => builder
            .with_ansi(std::io::stderr().is_terminal())
            .try_init(),
    };
    if let Err(error) = started {
        tracing::debug!(%error, "logging is already initialized");
    }
    panic::log_panics();
    Ok(())
}

/// Prints to standard error why a command failed, with every cause.
pub(crate) fn print_error(error: &anyhow::Error) {
    let _ = writeln!(std::io::stderr(), "oncharge: {error:#}");
}

/// Prints a line to standard error that accompanies a command's output.
pub(crate) fn print_note(line: impl std::fmt::Display) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Prints a line of a command's output to standard output, never a log line.
pub(crate) fn print(line: impl std::fmt::Display) {
    let mut out = std::io::stdout().lock();
    // A closed pipe must not end the work.
    let _ = writeln!(out, "{line}");
    let _ = out.flush();
}
