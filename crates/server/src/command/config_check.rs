//! `oncharge config check`: whether `serve` would accept the configuration.

use anyhow::bail;
use clap::Subcommand;
use oncharge_adapter_postgres::PostgresStore;
use oncharge_application::{keys, merchants};
use oncharge_ports::StoreError;
use serde_json::json;

use super::{Target, print_json};
use crate::{
    config::{Keys, Mode, Settings},
    telemetry::print_note,
    wiring::{Components, embedded_file},
};

/// What to do with the configuration.
#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Checks the settings and the keys, and prints the settings with secrets masked. Connects to
    /// the database without changing it, and checks that the keys and PSP accounts it needs are
    /// configured.
    Check {
        #[command(flatten)]
        target: Target,
    },
}

impl ConfigCommand {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let Self::Check { target } = self;
        let settings = target.settings()?;
        settings.check_for_server(target.data_dir.as_deref())?;
        let keys = match settings.mode {
            Mode::Production => settings.keys.configured()?,
            Mode::Sandbox => settings
                .keys
                .configured_or_stored(target.data_dir(), None)?,
        };
        let (database, connection) = database(&settings, &keys, &target).await;
        print_json(&json!({
            "acceptable": connection.is_ok(),
            "mode": settings.mode,
            "settings": settings,
            "database": database,
        }));
        connection
    }
}

/// The location of the database, after checking that it responds and that the keys match. A file
/// that does not exist yet is no error: `serve` creates it.
async fn database(
    settings: &Settings,
    keys: &Keys,
    target: &Target,
) -> (serde_json::Value, anyhow::Result<()>) {
    let Some(url) = &settings.database.url else {
        let file = embedded_file(target.data_dir());
        let report = json!({
            "kind": "sqlite",
            "place": file.display().to_string(),
            "exists": file.exists(),
        });
        return (report, Ok(()));
    };
    let connection = PostgresStore::has_schema(url.expose()).await;
    let report = json!({
        "kind": "postgresql",
        "place": settings.database.location().map(|location| location.name),
        "reachable": !matches!(connection, Err(StoreError::Unreachable(_))),
    });
    let key_check = match connection {
        Ok(true) => check_stored(settings, keys).await,
        Ok(false) => Ok(()),
        Err(error) => Err(explain(error)),
    };
    (report, key_check)
}

/// Why the database cannot be used, without repeated causes.
fn explain(error: StoreError) -> anyhow::Error {
    match error {
        StoreError::Failed(cause) => {
            anyhow::Error::from_boxed(cause).context("cannot use the database")
        }
        error => error.into(),
    }
}

/// Checks that the keys match PostgreSQL's data and that every PSP account used by merchants is
/// configured; prints a note of what other nodes lack.
async fn check_stored(settings: &Settings, keys: &Keys) -> anyhow::Result<()> {
    let Some(components) = Components::for_check(settings, keys)? else {
        return Ok(());
    };
    keys::check(&components.app).await?;
    for problem in keys::missing_on_nodes(&components.app).await? {
        print_note(format_args!("warning: {problem}"));
    }
    let missing = merchants::unconfigured_psp_accounts(&components.app).await?;
    if !missing.is_empty() {
        let names = missing
            .iter()
            .map(|it| format!("{}/{}", it.connector(), it.account()));
        let names: Vec<_> = names.collect();
        bail!(
            "merchants use PSP accounts that are not configured: add {} under [psp] in the \
             configuration",
            names.join(", ")
        );
    }
    Ok(())
}
