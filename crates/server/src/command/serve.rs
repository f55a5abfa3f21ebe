//! `oncharge serve`: the API and the checkout in production.

use std::{net::SocketAddr, path::PathBuf};

use anyhow::Context;
use clap::Args;

use super::DATA_DIR;
use crate::{
    config::{Mode, Settings, create_private_dir},
    sandbox::ServerLock,
    server::{self, OpsServer, ReservedPort, Role},
    shutdown::Shutdown,
    telemetry,
    wiring::Components,
};

/// Runs the API, the checkout, the operators' port and the workers.
#[derive(Debug, Args)]
pub(super) struct Serve {
    /// Configuration file (default: oncharge.toml, if it exists).
    #[arg(long)]
    config: Option<PathBuf>,
    /// postgres:// URL; without it, the embedded database in --data-dir is used.
    #[arg(long)]
    database_url: Option<String>,
    /// Directory of the embedded database and, with mode = "sandbox", of the keys (default in that
    /// mode: .oncharge).
    #[arg(long)]
    data_dir: Option<PathBuf>,
    /// What this process runs. Any number of processes can share one PostgreSQL database.
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
            Mode::Sandbox => settings.keys.configured_or_stored(&data_dir, None)?,
        };
        let _lock = if settings.database.url.is_none() {
            create_private_dir(&data_dir)?;
            Some(ServerLock::acquire(&data_dir)?)
        } else {
            None
        };
        let mut shutdown = Shutdown::listen()?;
        let network = settings.network.clone();
        let api = SocketAddr::from((network.bind, network.port));
        // A worker does not bind the API's port, so that another process can.
        let reserved_port = (self.role != Role::Worker)
            .then(|| ReservedPort::bind(api))
            .transpose()
            .with_context(|| port_error("network.port", network.port))?;
        let address = reserved_port
            .as_ref()
            .map_or(Ok(api), ReservedPort::address)?;
        let base_url = format!("http://{address}");
        let ops = ReservedPort::bind((network.ops_bind, network.ops_port).into())
            .and_then(ReservedPort::listen)
            .with_context(|| port_error("network.ops_port", network.ops_port))?;
        let ops_server = OpsServer::start(ops, &settings.network)?;
        let opening = Components::for_server(&settings, &keys, &data_dir, &base_url);
        let Some(components) = shutdown.run_until_requested(opening).await? else {
            return Ok(());
        };
        server::warn_of_unconfigured_accounts(&components.app).await;
        let running = server::start(
            &settings,
            &components,
            reserved_port,
            ops_server,
            self.role,
            None,
        )
        .await?;
        tracing::info!(url = base_url, role = self.role.name(), "serving");
        shutdown.requested().await;
        running.stop().await;
        Ok(())
    }
}

/// The remedy for a port that cannot be bound; the cause follows.
fn port_error(setting: &str, port: u16) -> String {
    let variable = setting.to_uppercase().replace('.', "__");
    format!(
        "cannot listen on {setting} {port}: stop the process that uses it, or set \
         ONCHARGE__{variable} to another port"
    )
}
