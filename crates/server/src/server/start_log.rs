//! The first log line: what this process is about to run on.

use std::path::Path;

use oncharge_adapter_postgres::{Protection, schema_version};

use super::Role;
use crate::{
    config::{Mode, Settings},
    wiring::embedded_file,
};

/// Logs mode, database, schema version and PSP accounts, before any of it is used.
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
