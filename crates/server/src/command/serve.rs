//! `oncharge serve`: the API and the checkout, for real.

use std::{net::SocketAddr, path::PathBuf};

use anyhow::Context;
use clap::Args;

use super::DATA_DIR;
use crate::{
    config::{Mode, Settings, make_private_dir},
    sandbox::ServerLock,
    server::{self, Operators, Reserved, Role},
    shutdown::Shutdown,
    telemetry,
    wiring::Wired,
};

/// Serves the API, the checkout and the operators' port, and runs the workers.
#[derive(Debug, Args)]
pub(super) struct Serve {
    /// A configuration file (default: oncharge.toml, where there is one).
    #[arg(long)]
    config: Option<PathBuf>,
    /// A postgres:// URL.
    #[arg(long)]
    database_url: Option<String>,
    /// The directory of the embedded database, and of the sandbox's keys while mode is sandbox
    /// (there the default is .oncharge).
    #[arg(long)]
    data_dir: Option<PathBuf>,
    /// What of the server runs in this process; any number may share a PostgreSQL.
    #[arg(long, value_enum, default_value = "all")]
    role: Role,
}

impl Serve {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let url = self.database_url.as_deref();
        let settings = Settings::load(self.config.as_deref(), "", url)?;
        settings.check_for_server(self.data_dir.as_deref())?;
        let data_dir = self.data_dir.unwrap_or_else(|| PathBuf::from(DATA_DIR));
        telemetry::start(settings.log.format, &settings.log.filter)?;
        server::log_start(&settings, self.role, &data_dir);
        let keys = match settings.mode {
            Mode::Production => settings.keys.configured()?,
            Mode::Sandbox => settings.keys.or_in(&data_dir, None)?,
        };
        let _lock = if settings.database.url.is_none() {
            make_private_dir(&data_dir)?;
            Some(ServerLock::take(&data_dir)?)
        } else {
            None
        };
        let mut shutdown = Shutdown::listen()?;
        let network = settings.network.clone();
        let api = SocketAddr::from((network.bind, network.port));
        // A worker leaves the API's port to whoever serves it.
        let door = (self.role != Role::Worker)
            .then(|| Reserved::take(api))
            .transpose()
            .with_context(|| taken("network.port", network.port))?;
        let address = door.as_ref().map_or(Ok(api), Reserved::address)?;
        let base_url = format!("http://{address}");
        let ops = Reserved::take((network.ops_bind, network.ops_port).into())
            .and_then(Reserved::listen)
            .with_context(|| taken("network.ops_port", network.ops_port))?;
        let operators = Operators::start(ops, &settings.network)?;
        let opening = Wired::for_server(&settings, &keys, (&data_dir, &base_url));
        let Some(wired) = shutdown.unless_requested(opening).await? else {
            return Ok(());
        };
        server::warn_of_unconfigured_accounts(&wired.app).await;
        let at = (door, operators);
        let running = server::start(&settings, &wired, at, (self.role, None)).await?;
        tracing::info!(url = base_url, role = self.role.name(), "serving");
        shutdown.requested().await;
        running.stop().await;
        Ok(())
    }
}

/// What to do about a port that cannot be had; the cause follows.
fn taken(setting: &str, port: u16) -> String {
    let variable = setting.to_uppercase().replace('.', "__");
    format!(
        "cannot listen on {setting} {port}: stop the process that uses it, or set \
         ONCHARGE__{variable} to another port"
    )
}
