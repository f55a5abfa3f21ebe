//! `oncharge sign`: prints a signed curl command, ready to run within five minutes.

use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Args;
use oncharge_domain::signing::{Signed, SigningKey};
use oncharge_ports::Clock;

use crate::{sandbox::Pair, system::SystemClock, telemetry};

/// Signs a request with the pair of `ONCHARGE_API_KEY` and `ONCHARGE_API_SECRET`, else with the
/// sandbox's.
#[derive(Debug, Args)]
pub(super) struct Sign {
    /// The method.
    method: String,
    /// The path with its query, as it will be sent.
    path: String,
    /// The body; `-` reads it from standard input.
    #[arg(long)]
    body: Option<String>,
    /// Where the API is.
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    base_url: String,
    /// The sandbox's directory, where its pair is kept.
    #[arg(long, default_value = ".oncharge")]
    data_dir: PathBuf,
}

impl Sign {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let pair = match Pair::from_environment() {
            Some(pair) => pair,
            None => Pair::read(&self.data_dir)?.context(
                "no pair: set ONCHARGE_API_KEY and ONCHARGE_API_SECRET, or start the sandbox once",
            )?,
        };
        if !self.path.starts_with('/') {
            bail!("the path must begin with /");
        }
        let body = match self.body.as_deref() {
            Some("-") => Some(std::io::read_to_string(std::io::stdin())?),
            other => other.map(str::to_owned),
        };
        let method = self.method.to_uppercase();
        telemetry::say(curl(
            &pair,
            (&self.base_url, &method, &self.path),
            body.as_deref(),
        ));
        Ok(())
    }
}

/// A signed curl command.
pub(crate) fn curl(
    pair: &Pair,
    (base_url, method, path): (&str, &str, &str),
    body: Option<&str>,
) -> String {
    let timestamp = SystemClock.now().unix_seconds().to_string();
    let signed = Signed {
        timestamp: &timestamp,
        method,
        target: path,
        body: body.unwrap_or_default().as_bytes(),
    };
    let signature = SigningKey::of_secret(pair.api_secret.expose()).sign(&signed);
    let mut lines = vec![
        format!(
            "curl -sS -X {method} {}",
            quoted(&format!("{base_url}{path}"))
        ),
        format!(
            "  -H {}",
            quoted(&format!("X-Oncharge-Key: {}", pair.api_key))
        ),
        format!(
            "  -H {}",
            quoted(&format!("X-Oncharge-Timestamp: {timestamp}"))
        ),
        format!(
            "  -H {}",
            quoted(&format!("X-Oncharge-Signature: {signature}"))
        ),
    ];
    if let Some(body) = body {
        lines.push("  -H 'Content-Type: application/json'".to_owned());
        lines.push(format!("  --data-binary {}", quoted(body)));
    }
    lines.join(" \\\n")
}

/// The text as one word of a POSIX shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
