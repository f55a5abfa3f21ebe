//! `oncharge serve`: the API and the checkout, for real.

use std::{net::TcpListener, path::PathBuf};

use anyhow::Context;
use clap::Args;

use crate::{
    config::{Mode, Secret, Settings, make_private_dir},
    sandbox::ServerLock,
    server::{self, Listeners, Role},
    shutdown, telemetry,
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
        let network = settings.network.clone();
        let api = TcpListener::bind((network.bind, network.port))
            .with_context(|| format!("cannot listen on network.port {}", network.port))?;
        let ops = TcpListener::bind((network.ops_bind, network.ops_port))
            .with_context(|| format!("cannot listen on network.ops_port {}", network.ops_port))?;
        let base_url = format!("http://{}", api.local_addr()?);
        let wired = Wired::for_server(&settings, keys, (&self.data_dir, &base_url)).await?;
        let listeners = Listeners { api, ops };
        let running = server::start(&settings, &wired, listeners, (self.role, None)).await?;
        tracing::info!(url = base_url, role = ?self.role, "serving");
        shutdown::requested().await?;
        running.stop().await;
        Ok(())
    }
}
