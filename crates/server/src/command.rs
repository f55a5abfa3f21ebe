//! The command line: one file per command.

mod ban;
mod branding;
mod config_check;
mod demo;
mod dev;
mod key;
mod keys;
mod merchant;
mod migrate;
mod openapi;
mod origins;
mod reconcile;
mod serve;
mod sign;
mod stuck;
mod usage_error;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::bail;
use clap::{Args, Parser, Subcommand};
use oncharge_application::keys as keys_at_rest;
use oncharge_domain::time::Timestamp;
use time::format_description::well_known::Rfc3339;

use crate::{
    config::{Mode, PspAccounts, Settings},
    sandbox::{Credentials, psp_accounts_in},
    telemetry,
    wiring::{Components, embedded_file},
};

/// The default data directory, of the sandbox and of commands.
const DATA_DIR: &str = ".oncharge";

/// Payments between a shop and its payment processors: an HMAC-signed REST API, a hosted checkout,
/// captures, cancels, refunds and signed webhooks.
///
/// Without a command, starts the sandbox (`dev`): the API, the checkout, a PSP simulator and a demo
/// shop on this machine. The sandbox moves no real money. `serve` runs the service in production. A
/// running server has the API reference at /docs.
#[derive(Debug, Parser)]
#[command(name = "oncharge", version, about)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Starts the sandbox: API, checkout, PSP simulator and demo shop on this machine (the default).
    Dev(dev::Dev),
    /// Runs one payment step by step in a temporary sandbox, then exits.
    Demo,
    /// Runs the service: API, checkout, operators' port and workers.
    Serve(serve::Serve),
    /// Migrates the database schema and exits. `serve` and every command that opens the database
    /// migrate it too.
    Migrate(Target),
    /// Prints a signed curl command for a request to the API.
    Sign(sign::Sign),
    /// Checks the configuration, the keys and the connection to the database.
    #[command(subcommand)]
    Config(config_check::ConfigCommand),
    /// Re-encrypts stored values with the first master key.
    #[command(subcommand)]
    Keys(keys::KeysCommand),
    /// Creates, lists, shows, changes, disables and enables merchants.
    #[command(subcommand)]
    Merchant(merchant::MerchantCommand),
    /// Creates, lists and revokes API keys.
    #[command(subcommand)]
    Key(key::KeyCommand),
    /// Adds, lists and revokes bans of shoppers (the shared blocklist).
    #[command(subcommand)]
    Ban(ban::BanCommand),
    /// Lists work that needs manual attention, or dismisses it from the list.
    Stuck(stuck::Stuck),
    /// Compares operations with the payment processors' records; changes nothing.
    Reconcile(reconcile::Reconcile),
    /// Prints the `OpenAPI` document of the API.
    Openapi,
}

impl Cli {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        match self
            .command
            .unwrap_or_else(|| Command::Dev(dev::Dev::default()))
        {
            Command::Dev(dev) => dev.run().await,
            Command::Demo => demo::run().await,
            Command::Serve(serve) => serve.run().await,
            Command::Migrate(target) => migrate::run(&target).await,
            Command::Sign(sign) => sign.run(),
            Command::Config(command) => command.run().await,
            Command::Keys(command) => command.run().await,
            Command::Merchant(command) => command.run().await,
            Command::Key(command) => command.run().await,
            Command::Ban(command) => command.run().await,
            Command::Stuck(stuck) => stuck.run().await,
            Command::Reconcile(reconcile) => reconcile.run().await,
            Command::Openapi => {
                openapi::run();
                Ok(())
            }
        }
    }
}

/// Which data a command works on; fit to run beside a server.
#[derive(Debug, Clone, Args)]
pub(crate) struct Target {
    /// Directory of the embedded database (default: .oncharge, as for the sandbox).
    #[arg(long)]
    data_dir: Option<PathBuf>,
    /// postgres:// URL; without it, the embedded database is used.
    #[arg(long)]
    database_url: Option<String>,
    /// Configuration file (default: oncharge.toml, if it exists).
    #[arg(long)]
    config: Option<PathBuf>,
}

impl Target {
    /// The settings, overridden by this command's flags.
    pub(crate) fn settings(&self) -> anyhow::Result<Settings> {
        let url = self.database_url.as_deref();
        let settings = Settings::load(self.config.as_deref(), "", url)?;
        telemetry::start(settings.log.format, "warn")?;
        Ok(settings)
    }

    fn data_dir(&self) -> &Path {
        self.data_dir.as_deref().unwrap_or(Path::new(DATA_DIR))
    }

    /// Whether this is a sandbox's data: then origins of a merchant may be on loopback.
    fn is_sandbox(&self) -> anyhow::Result<bool> {
        let mode = self.settings()?.mode;
        Ok(mode == Mode::Sandbox || Credentials::read(self.data_dir())?.is_some())
    }

    /// The configured PSP accounts; if there are none, those of the sandbox in the data directory,
    /// if there is one.
    fn psp_accounts(&self, settings: &Settings) -> anyhow::Result<PspAccounts> {
        if !settings.psp.is_empty() {
            return Ok(settings.psp.clone());
        }
        Ok(psp_accounts_in(self.data_dir())?.unwrap_or_default())
    }

    /// Opens the store and the use cases, without servers and workers.
    pub(crate) async fn open(&self) -> anyhow::Result<Components> {
        self.open_with(&PspAccounts::new()).await
    }

    /// Like [`Self::open`], for a command that needs these PSP accounts.
    ///
    /// Errors if no database is configured and the sandbox has none: a command creates a database
    /// only at an explicit location.
    async fn open_with(&self, accounts: &PspAccounts) -> anyhow::Result<Components> {
        let settings = self.settings()?;
        let is_named = settings.database.url.is_some() || self.data_dir.is_some();
        let file = embedded_file(self.data_dir());
        if !is_named && !file.exists() {
            bail!(
                "no database is configured: set database.url (ONCHARGE__DATABASE__URL or \
                 --database-url), or pass the directory of the embedded database with --data-dir"
            );
        }
        Components::for_commands(&settings, accounts, self.data_dir()).await
    }

    /// Like [`Self::open_with`], for a command that seals values.
    async fn open_to_seal(&self, accounts: &PspAccounts) -> anyhow::Result<Components> {
        let components = self.open_with(accounts).await?;
        keys_at_rest::prepare_to_seal(&components.app).await?;
        Ok(components)
    }
}

/// The exit code of a failed command: 2 for a usage error, otherwise 1.
pub(crate) fn exit_code(error: &anyhow::Error) -> ExitCode {
    if error.downcast_ref::<usage_error::UsageError>().is_some() {
        ExitCode::from(2)
    } else {
        ExitCode::FAILURE
    }
}

/// Formats a time for the output of commands, in whole seconds.
fn rfc3339(at: Timestamp) -> anyhow::Result<String> {
    Ok(at.whole_seconds().as_offset_date_time().format(&Rfc3339)?)
}

/// Prints a JSON object on one line, the output format of every command.
fn print_json(value: &serde_json::Value) {
    telemetry::print(value);
}
