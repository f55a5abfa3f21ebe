//! A running server: the API, the operators' port, the workers; and its clean stop.

use std::{net::TcpListener, sync::Arc, time::Duration};

use actix_web::dev::ServerHandle;
use anyhow::Context;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use oncharge_adapter_http::{Api, Ops, Rate, serve_api, serve_ops};
use oncharge_application::{App, workers::runner};
use tokio::task::JoinHandle;

use crate::{
    config::{Mode, Settings},
    wiring::Wired,
};

/// How long requests that are under way may take once the server is asked to stop.
const GRACE: Duration = Duration::from_secs(12);
/// How often histograms are summed up: until then they keep every single observation.
const UPKEEP: Duration = Duration::from_secs(5);

/// What of a server runs in this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Role {
    /// The API and the workers.
    All,
    /// The API alone.
    Api,
    /// The workers alone.
    Worker,
}

/// Where a server listens.
pub(crate) struct Listeners {
    /// For the API and the checkout.
    pub(crate) api: TcpListener,
    /// For operators.
    pub(crate) ops: TcpListener,
}

/// A running server.
pub(crate) struct Running {
    app: App,
    servers: Vec<(ServerHandle, JoinHandle<std::io::Result<()>>)>,
    workers: Option<runner::Workers>,
    upkeep: JoinHandle<()>,
}

/// Starts a server on what is wired.
pub(crate) async fn start(
    settings: &Settings,
    wired: &Wired,
    listeners: Listeners,
    (role, shop_url): (Role, Option<String>),
) -> anyhow::Result<Running> {
    let metrics = PrometheusBuilder::new()
        .install_recorder()
        .context("metrics cannot be kept")?;
    let app = wired.app.clone();
    if wired.embedded && role != Role::Api {
        // Nobody else works on the embedded file: what is open was left by a crash.
        wired
            .work
            .wake_all(app.now())
            .await
            .context("the queues cannot be woken")?;
    }
    let mut servers = Vec::new();
    if role != Role::Worker {
        let api = Api::new(app.clone(), http_settings(settings, shop_url)?);
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        servers.push(run(serve_api(api, listeners.api, threads)?));
    }
    servers.push(run(serve_ops(
        operators(wired, metrics.clone()),
        listeners.ops,
    )?));
    let workers = (role != Role::Api).then(|| runner::start(&app));
    Ok(Running {
        app,
        servers,
        workers,
        upkeep: keep_up(metrics),
    })
}

fn operators(wired: &Wired, metrics: PrometheusHandle) -> Ops {
    let store = wired.maintenance.clone();
    let round_trips = wired.round_trips.clone();
    Ops {
        ready: Arc::new(move || {
            let store = store.clone();
            Box::pin(async move { Ok(store.ping().await?) })
        }),
        metrics: Arc::new(move || {
            if let Some(count) = &round_trips {
                metrics::counter!("oncharge_database_round_trips_total").absolute(count());
            }
            metrics.render()
        }),
    }
}

#[expect(clippy::disallowed_methods, reason = "the task is owned by `Running`")]
fn keep_up(metrics: PrometheusHandle) -> JoinHandle<()> {
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(UPKEEP).await;
            metrics.run_upkeep();
        }
    })
}

#[expect(
    clippy::disallowed_methods,
    reason = "the server's task is owned by `Running`"
)]
fn run(server: actix_web::dev::Server) -> (ServerHandle, JoinHandle<std::io::Result<()>>) {
    (server.handle(), tokio::spawn(server))
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
    Ok(oncharge_adapter_http::Settings {
        per_key: Rate::per_second(limits.key_per_second, limits.key_burst),
        per_address: Rate::per_second(limits.address_per_second, limits.address_burst),
        trusted_proxies,
        behind_tls: settings.network.behind_tls && settings.mode == Mode::Production,
        shop_url,
        ..base
    })
}

impl Running {
    /// Refuses the new, finishes what is in hand, and returns.
    pub(crate) async fn stop(self) {
        self.upkeep.abort();
        let stopping = async {
            for (handle, _) in &self.servers {
                handle.stop(true).await;
            }
            for (_, task) in self.servers {
                if let Ok(Err(error)) = task.await {
                    tracing::warn!(%error, "a server ended badly");
                }
            }
            if let Some(workers) = self.workers {
                workers.stop().await;
            }
            self.app.drained().await;
        };
        if tokio::time::timeout(GRACE, stopping).await.is_err() {
            tracing::warn!(
                "stopped before everything had come to its end; recovery will finish it"
            );
        }
    }
}
