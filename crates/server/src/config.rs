//! The configuration: defaults, overridden by a file, `ONCHARGE__…` variables and flags.
//!
//! Everything is validated at startup; an error names the setting. Secrets are masked.

mod errors;
mod keys;
mod names;
mod network;
mod psp;
mod secret;
mod storage;
mod values;
mod webhooks;

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use config::{Config, Environment, File, FileFormat, Source};
use serde::{Deserialize, Serialize};

use self::{
    errors::ConfigReadError,
    names::{ToolVariables, check_environment},
};
pub use keys::Keys;
pub(crate) use keys::{KeySettings, create_private_dir, write_private};
pub(crate) use network::{Limits, Network};
pub(crate) use psp::{PspAccounts, PspSettings};
pub(crate) use secret::Secret;
pub(crate) use storage::Database;
pub(crate) use webhooks::{WebhookClock, Webhooks};

use crate::telemetry::LogFormat;

/// The default configuration file, in the working directory.
const DEFAULT_FILE: &str = "oncharge.toml";

/// All settings.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    /// Production or sandbox.
    #[serde(deserialize_with = "values::one_of")]
    pub(crate) mode: Mode,
    /// Addresses and proxies.
    pub(crate) network: Network,
    /// Rate limits.
    pub(crate) limits: Limits,
    /// The database.
    pub(crate) database: Database,
    /// Encryption keys.
    pub(crate) keys: KeySettings,
    /// PSP accounts, by account name.
    pub(crate) psp: PspAccounts,
    /// The checkout.
    pub(crate) checkout: Checkout,
    /// Webhooks out.
    pub(crate) webhooks: Webhooks,
    /// Logging.
    pub(crate) log: Log,
}

/// What the deployment is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Mode {
    /// Real money: the simulator is refused.
    Production,
    /// Play money: loopback only.
    Sandbox,
}

/// The checkout's settings.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Checkout {
    /// How long a session can be paid, in seconds.
    pub(crate) session_ttl_seconds: i64,
    /// Maximum number of `global_ban` responses to a merchant per hour; 0 for no limit.
    pub(crate) ban_answers_per_hour: u32,
}

/// Logging settings.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Log {
    /// The format of log lines.
    #[serde(deserialize_with = "values::one_of")]
    pub(crate) format: LogFormat,
    /// The filter, in the syntax of `tracing-subscriber`.
    pub(crate) filter: String,
}

impl Settings {
    /// Loads and validates the settings; `preset` overrides the defaults but not the file, a
    /// database URL from the command line overrides everything.
    pub(crate) fn load(
        file: Option<&Path>,
        preset: &str,
        database_url: Option<&str>,
    ) -> anyhow::Result<Self> {
        check_environment(ToolVariables::Accepted)?;
        let environment = Environment::with_prefix("ONCHARGE")
            .prefix_separator("__")
            .separator("__")
            .try_parsing(true)
            .list_separator(",")
            .with_list_parse_key("network.trusted_proxies")
            .with_list_parse_key("network.ops_hosts");
        let mut builder = Config::builder()
            .add_source(File::from_str(
                include_str!("config/defaults.toml"),
                FileFormat::Toml,
            ))
            .add_source(File::from_str(preset, FileFormat::Toml));
        builder = match file {
            Some(path) => builder.add_source(File::from(path).format(FileFormat::Toml)),
            None => builder.add_source(
                File::from(PathBuf::from(DEFAULT_FILE))
                    .format(FileFormat::Toml)
                    .required(false),
            ),
        };
        let layered = builder
            .add_source(environment)
            .set_override_option("database.url", database_url)
            .map_err(ConfigReadError::from)?
            .build()
            .map_err(ConfigReadError::from)
            .context("cannot read the configuration")?;
        names::check_keys(&layered.collect().map_err(ConfigReadError::from)?)?;
        let settings: Self = layered
            .try_deserialize()
            .map_err(ConfigReadError::from)
            .context("the configuration is invalid")?;
        settings.check()?;
        Ok(settings)
    }

    /// Checks what only a server requires: in production the database is named, by its URL or by a
    /// directory for the embedded file, and every `ONCHARGE_…` variable is a known setting.
    pub(crate) fn check_for_server(&self, data_dir: Option<&Path>) -> anyhow::Result<()> {
        if self.mode == Mode::Sandbox {
            return Ok(());
        }
        check_environment(ToolVariables::Refused)?;
        if self.database.url.is_none() && data_dir.is_none() {
            bail!(
                "no database is configured: set database.url (ONCHARGE__DATABASE__URL or \
                 --database-url), or pass the directory of the embedded database with --data-dir"
            );
        }
        Ok(())
    }

    /// The settings of the use cases.
    pub(crate) fn for_use_cases(&self) -> oncharge_application::Settings {
        let limit = self.checkout.ban_answers_per_hour;
        oncharge_application::Settings {
            sandbox: self.mode == Mode::Sandbox,
            session_ttl_seconds: self.checkout.session_ttl_seconds,
            ban_answers_per_hour: (limit > 0).then_some(limit),
            webhook_clock: self.webhooks.clock.into(),
        }
    }

    fn check(&self) -> anyhow::Result<()> {
        self.network.check(self.mode)?;
        self.limits.check()?;
        self.database.check(self.mode)?;
        if !(1..=7 * 86_400).contains(&self.checkout.session_ttl_seconds) {
            bail!("checkout.session_ttl_seconds must be between 1 and 604800");
        }
        self.webhooks.check(self.mode)?;
        for (account, psp) in &self.psp {
            psp.check(account, self.mode)?;
        }
        tracing_subscriber::EnvFilter::try_new(&self.log.filter)
            .context("log.filter must be a tracing filter, such as info or warn,oncharge=debug")?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
