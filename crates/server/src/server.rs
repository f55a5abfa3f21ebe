//! A running server: API, operators' port and workers, with graceful shutdown.

mod descriptors;
mod ops_server;
mod reserved_port;
mod start_log;
mod wait_for_database;

use std::time::Duration;

use actix_web::dev::{Server, ServerHandle};
use anyhow::Context;
use oncharge_adapter_http::{Api, ConnectionLimits, Rate, serve_api};
use oncharge_application::{App, keys::membership::Renewal, store_clock, workers::runner};
use tokio::task::JoinHandle;

use crate::{
    config::{Mode, Settings},
    wiring::Components,
};

pub(crate) use ops_server::OpsServer;
pub(crate) use reserved_port::ReservedPort;
pub(crate) use start_log::{log_start, warn_of_unconfigured_accounts};
pub(crate) use wait_for_database::wait_for_database;

/// How long requests in progress may take during shutdown.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(12);

/// What of a server runs in this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Role {
    /// The API and the workers.
    All,
    /// Only the API.
    Api,
    /// Only the workers.
    Worker,
}

impl Role {
    /// The name on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Api => "api",
            Self::Worker => "worker",
        }
    }
}

/// A running server.
pub(crate) struct Running {
    app: App,
    api: Option<ServerTask>,
    ops_server: OpsServer,
    workers: Option<runner::Workers>,
    renewal: Renewal,
}

/// A server running in its own task.
struct ServerTask {
    handle: ServerHandle,
    task: JoinHandle<std::io::Result<()>>,
}

/// Starts a server with these components. The API is served if `reserved_port` is given; workers
/// run unless the role excludes them.
pub(crate) async fn start(
    settings: &Settings,
    components: &Components,
    reserved_port: Option<ReservedPort>,
    ops_server: OpsServer,
    role: Role,
    shop_url: Option<String>,
) -> anyhow::Result<Running> {
    let app = components.app.clone();
    if let Err(error) = store_clock::measure(&app).await {
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "cannot read the database's clock, retrying"
        );
    }
    let renewal = Renewal::start(&app);
    if components.is_embedded() && role != Role::Api {
        // No other process works on the embedded file: open work was left by a crash.
        components
            .store
            .work
            .make_all_due(app.now())
            .await
            .context("cannot make the queued work due")?;
    }
    let mut server = None;
    if let Some(reserved_port) = reserved_port {
        let api = Api::new(app.clone(), http_settings(settings, shop_url)?);
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let listener = reserved_port
            .listen()
            .context("cannot listen for the API")?;
        server = Some(spawn(serve_api(api, listener, threads)?));
    }
    ops_server.attach_store(components);
    let workers = (role != Role::Api).then(|| runner::start(&app));
    Ok(Running {
        app,
        api: server,
        ops_server,
        workers,
        renewal,
    })
}

#[expect(
    clippy::disallowed_methods,
    reason = "the server's task is owned by what is running"
)]
fn spawn(server: Server) -> ServerTask {
    ServerTask {
        handle: server.handle(),
        task: tokio::spawn(server),
    }
}

impl ServerTask {
    /// Refuses new requests and completes those in progress.
    async fn stop(self) {
        self.handle.stop(true).await;
        if let Ok(Err(error)) = self.task.await {
            tracing::warn!(%error, "an HTTP server ended with an error");
        }
    }
}

fn http_settings(
    settings: &Settings,
    shop_url: Option<String>,
) -> anyhow::Result<oncharge_adapter_http::Settings> {
    let base = match settings.mode {
        Mode::Production => oncharge_adapter_http::Settings::production(),
        Mode::Sandbox => oncharge_adapter_http::Settings::sandbox(),
    };
    let limits = settings.limits;
    let mut trusted_proxies = Vec::new();
    for proxy in &settings.network.trusted_proxies {
        let network = proxy
            .parse()
            .or_else(|_| proxy.parse::<std::net::IpAddr>().map(Into::into));
        trusted_proxies.push(network.context("network.trusted_proxies")?);
    }
    let defaults = ConnectionLimits::new();
    let connections = ConnectionLimits {
        total: defaults.total.min(descriptors::available_for_connections()),
        per_address: limits.address_connections,
        ..defaults
    };
    Ok(oncharge_adapter_http::Settings {
        connections,
        per_key: Rate::per_second(limits.key_per_second, limits.key_burst),
        per_address: Rate::per_second(limits.address_per_second, limits.address_burst),
        trusted_proxies,
        behind_tls: settings.network.behind_tls && settings.mode == Mode::Production,
        shop_url,
        ..base
    })
}

impl Running {
    /// Stops accepting work, completes what is in progress, and returns.
    pub(crate) async fn stop(self) {
        self.ops_server.mark_stopping();
        let started = tokio::time::Instant::now();
        tracing::info!(
            limit_seconds = SHUTDOWN_TIMEOUT.as_secs(),
            "stopping: new requests are rejected, /readyz returns 503"
        );
        let stopping = async {
            if let Some(api) = self.api {
                tracing::info!("finishing requests in progress");
                api.stop().await;
            }
            if let Some(workers) = self.workers {
                tracing::info!("finishing claimed work");
                workers.stop().await;
            }
            self.app.drain().await;
            self.renewal.stop(&self.app).await;
            self.ops_server.stop().await;
        };
        let is_done = tokio::time::timeout(SHUTDOWN_TIMEOUT, stopping)
            .await
            .is_ok();
        let seconds = started.elapsed().as_secs_f64();
        if is_done {
            tracing::info!(seconds, "stopped: all requests and work finished");
        } else {
            tracing::warn!(
                seconds,
                "stopped at the time limit with work in progress; recovery will finish it"
            );
        }
    }
}
