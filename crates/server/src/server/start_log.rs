//! The startup log: what this process runs on, and what its configuration lacks.

use std::path::Path;

use oncharge_adapter_postgres::{Protection, schema_version};
use oncharge_application::{App, merchants};

use super::Role;
use crate::{
    config::{Mode, Settings},
    wiring::embedded_file,
};

/// Logs mode, database, schema version and PSP accounts before they are used.
pub(crate) fn log_start(settings: &Settings, role: Role, data_dir: &Path) {
    let mode = match settings.mode {
        Mode::Production => "production",
        Mode::Sandbox => "sandbox",
    };
    let (database, tls) = match settings.database.location() {
        Some(location) => (location.name, Some(location.protection == Protection::Tls)),
        None => (embedded_file(data_dir).display().to_string(), None),
    };
    let accounts = settings.psp.iter();
    let accounts: Vec<_> = accounts
        .map(|(name, psp)| format!("{}/{name}", psp.connector))
        .collect();
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        mode,
        role = role.name(),
        database,
        tls,
        schema_version = schema_version(),
        psp_accounts = if accounts.is_empty() {
            "none".to_owned()
        } else {
            accounts.join(",")
        },
        "starting"
    );
}

/// Logs a warning for each PSP account that merchants use but the configuration lacks.
pub(crate) async fn warn_of_unconfigured_accounts(app: &App) {
    match merchants::unconfigured_psp_accounts(app).await {
        Ok(missing) => {
            for account in missing {
                tracing::warn!(
                    psp_account = format!("{}/{}", account.connector(), account.account()),
                    "merchants use a PSP account that is not configured: their payments will fail"
                );
            }
        }
        Err(error) => {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "cannot check the PSP accounts of the merchants"
            );
        }
    }
}
