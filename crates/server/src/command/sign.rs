//! `oncharge sign`: prints a signed curl command, valid for five minutes.

use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Args;
use oncharge_domain::signing::{SignedRequest, SigningKey};
use oncharge_ports::Clock;

use super::DATA_DIR;
use crate::{
    sandbox::{Credentials, address},
    system::SystemClock,
    telemetry,
};

/// The sandbox's default URL.
const DEFAULT_URL: &str = "http://127.0.0.1:8080";

/// Prints a curl command that is signed with `ONCHARGE_API_KEY` and `ONCHARGE_API_SECRET`,
/// otherwise with the sandbox's key and secret. Flags take precedence over variables.
#[derive(Debug, Args)]
pub(super) struct Sign {
    /// The HTTP method.
    method: String,
    /// The path with its query, exactly as it will be sent.
    path: String,
    /// The body; `-` reads it from standard input.
    #[arg(long)]
    body: Option<String>,
    /// Base URL of the API (default: `ONCHARGE_URL`, otherwise the sandbox's last URL; with
    /// `--data-dir`, that sandbox's last URL).
    #[arg(long)]
    base_url: Option<String>,
    /// Signs with the key and secret of the sandbox in this directory and ignores the variables
    /// (default without variables: .oncharge).
    #[arg(long)]
    data_dir: Option<PathBuf>,
}

impl Sign {
    pub(super) fn run(self) -> anyhow::Result<()> {
        // The variables apply if no directory is given.
        let is_named = self.data_dir.is_some();
        let data_dir = self.data_dir.unwrap_or_else(|| PathBuf::from(DATA_DIR));
        let credentials = match Credentials::from_environment().filter(|_| !is_named) {
            Some(credentials) => credentials,
            None => Credentials::read(&data_dir)?.with_context(|| {
                format!(
                    "no API key and secret: set ONCHARGE_API_KEY and ONCHARGE_API_SECRET, or start \
                     the sandbox once ({} has none)",
                    data_dir.display()
                )
            })?,
        };
        if !self.path.starts_with('/') {
            bail!("PATH must begin with /");
        }
        let body = match self.body.as_deref() {
            Some("-") => Some(std::io::read_to_string(std::io::stdin())?),
            other => other.map(str::to_owned),
        };
        let method = self.method.to_uppercase();
        let from_environment = || base_url_from_environment().filter(|_| !is_named);
        let base_url = match self.base_url.or_else(from_environment) {
            Some(url) => url,
            None => address::read(&data_dir)?.unwrap_or_else(|| DEFAULT_URL.to_owned()),
        };
        telemetry::print(curl(
            &credentials,
            base_url.trim_end_matches('/'),
            &method,
            &self.path,
            body.as_deref(),
        ));
        Ok(())
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a client's address is no setting of the server"
)]
fn base_url_from_environment() -> Option<String> {
    let url = std::env::var("ONCHARGE_URL").ok()?;
    (!url.is_empty()).then_some(url)
}

/// Builds a signed curl command.
pub(crate) fn curl(
    credentials: &Credentials,
    base_url: &str,
    method: &str,
    path: &str,
    body: Option<&str>,
) -> String {
    let timestamp = SystemClock.now().unix_seconds().to_string();
    let signed = SignedRequest {
        timestamp: &timestamp,
        method,
        target: path,
        body: body.unwrap_or_default().as_bytes(),
    };
    let signature = SigningKey::of_secret(credentials.api_secret.expose()).sign(&signed);
    let mut lines = vec![
        format!(
            "curl -sS -X {method} {}",
            shell_quote(&format!("{base_url}{path}"))
        ),
        format!(
            "  -H {}",
            shell_quote(&format!("X-Oncharge-Key: {}", credentials.api_key))
        ),
        format!(
            "  -H {}",
            shell_quote(&format!("X-Oncharge-Timestamp: {timestamp}"))
        ),
        format!(
            "  -H {}",
            shell_quote(&format!("X-Oncharge-Signature: {signature}"))
        ),
    ];
    if let Some(body) = body {
        lines.push("  -H 'Content-Type: application/json'".to_owned());
        lines.push(format!("  --data-binary {}", shell_quote(body)));
    }
    lines.join(" \\\n")
}

/// Quotes a text as one word for a POSIX shell.
fn shell_quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
