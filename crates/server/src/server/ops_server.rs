//! The operators' port: served from before the database is open until the process ends.

use std::{net::TcpListener, sync::OnceLock, time::Duration};

use anyhow::Context;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use oncharge_adapter_ops::Ops;
use oncharge_application::{App, store_clock};
use tokio::task::JoinHandle;

use super::{ServerTask, spawn};
use crate::{config::Network, wiring::Components};

/// Interval of histogram upkeep: until then they keep every single observation.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

/// The running operators' port.
pub(crate) struct OpsServer {
    ops: Ops,
    server: ServerTask,
    upkeep: JoinHandle<()>,
    /// Empty until the database is open: samples the queues, and measures the clock's skew.
    background: OnceLock<[JoinHandle<()>; 2]>,
}

impl OpsServer {
    /// Starts the port: alive, but not ready.
    pub(crate) fn start(listener: TcpListener, network: &Network) -> anyhow::Result<Self> {
        let metrics = PrometheusBuilder::new()
            .install_recorder()
            .context("cannot install the metrics recorder")?;
        let renderer = metrics.clone();
        let ops = Ops::new(move || renderer.render());
        let server = oncharge_adapter_ops::serve(ops.clone(), &network.ops_hosts, listener)?;
        Ok(Self {
            ops,
            server: spawn(server),
            upkeep: spawn_upkeep(metrics),
            background: OnceLock::new(),
        })
    }

    /// Attaches the open store: from now on readiness depends on it, and its queues are sampled.
    pub(crate) fn attach_store(&self, components: &Components) {
        let app = &components.app;
        self.ops
            .attach_store(app.clone(), components.round_trips.clone());
        // Only the first call has an effect.
        self.background.get_or_init(|| {
            [
                spawn_queue_sampling(self.ops.clone(), app.clone()),
                spawn_clock_measurement(app.clone()),
            ]
        });
    }

    /// Marks the process as not ready, so that load balancers send no more requests.
    pub(crate) fn mark_stopping(&self) {
        self.ops.mark_stopping();
    }

    /// Stops the port.
    pub(crate) async fn stop(self) {
        self.upkeep.abort();
        for task in self.background.get().into_iter().flatten() {
            task.abort();
        }
        self.server.stop().await;
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the task is owned by `OpsServer`"
)]
fn spawn_upkeep(metrics: PrometheusHandle) -> JoinHandle<()> {
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(UPKEEP_INTERVAL).await;
            metrics.run_upkeep();
        }
    })
}

#[expect(
    clippy::disallowed_methods,
    reason = "the task is owned by `OpsServer`"
)]
fn spawn_queue_sampling(ops: Ops, app: App) -> JoinHandle<()> {
    tokio::spawn(async move { ops.sample_queues(&app).await })
}

#[expect(
    clippy::disallowed_methods,
    reason = "the task is owned by `OpsServer`"
)]
fn spawn_clock_measurement(app: App) -> JoinHandle<()> {
    tokio::spawn(async move { store_clock::keep_measuring(&app).await })
}
