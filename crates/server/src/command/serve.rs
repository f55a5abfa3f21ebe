//! `oncharge serve`: the API and the checkout, for real.

use std::{net::SocketAddr, path::PathBuf};

use anyhow::Context;
use clap::Args;

use crate::{
    config::{Mode, Secret, Settings, make_private_dir},
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
    /// The directory of the embedded database, and of the sandbox's keys while mode is sandbox.
    #[arg(long, default_value = ".oncharge")]
    data_dir: PathBuf,
    /// What of the server runs in this process; any number may share a PostgreSQL.
    #[arg(long, value_enum, default_value = "all")]
    role: Role,
}

impl Serve {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let mut settings = Settings::load(self.config.as_deref(), "")?;
        if let Some(url) = self.database_url {
            settings.database.url = Some(Secret::new(url));
        }
        telemetry::start(settings.log.format, &settings.log.filter)?;
        let keys = match settings.mode {
            Mode::Production => settings.keys.configured()?,
            Mode::Sandbox => settings.keys.or_in(&self.data_dir, None)?,
        };
        let _lock = if settings.database.url.is_none() {
            make_private_dir(&self.data_dir)?;
            Some(ServerLock::take(&self.data_dir)?)
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
            .with_context(|| format!("cannot listen on network.port {}", network.port))?;
        let address = door.as_ref().map_or(Ok(api), Reserved::address)?;
        let base_url = format!("http://{address}");
        let ops = Reserved::take((network.ops_bind, network.ops_port).into())
            .and_then(Reserved::listen)
            .with_context(|| format!("cannot listen on network.ops_port {}", network.ops_port))?;
        let operators = Operators::start(ops, &settings.network)?;
        let opening = Wired::for_server(&settings, &keys, (&self.data_dir, &base_url));
        let Some(wired) = shutdown.unless_requested(opening).await? else {
            return Ok(());
        };
        let at = (door, operators);
        let running = server::start(&settings, &wired, at, (self.role, None)).await?;
        tracing::info!(url = base_url, role = ?self.role, "serving");
        shutdown.requested().await;
        running.stop().await;
        Ok(())
    }
}
