//! The operators' port: served from before the database is open until the process ends.

use std::{
    net::TcpListener,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::Context;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use oncharge_adapter_http::{Ops, QueueHistory, serve_ops};
use oncharge_application::{App, operator_queries, store_clock};
use tokio::task::JoinHandle;

use super::{ServerTask, gauges, sampling, spawn};
use crate::{config::Network, wiring::Components};

/// Interval of histogram upkeep: until then they keep every single observation.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);
/// Time limit for the store in probes and scrapes, whose callers have short timeouts.
pub(super) const STORE_TIMEOUT: Duration = Duration::from_secs(2);

/// The running operators' port.
pub(crate) struct OpsServer {
    state: Arc<OpsState>,
    server: ServerTask,
    upkeep: JoinHandle<()>,
    /// Empty until the database is open: samples the queues, and measures the clock's skew.
    background: OnceLock<[JoinHandle<()>; 2]>,
}

/// State shared by the port's handlers.
struct OpsState {
    /// Empty until the database is open.
    components: OnceLock<Components>,
    stopping: AtomicBool,
    metrics: PrometheusHandle,
    history: Arc<QueueHistory>,
}

impl OpsServer {
    /// Starts the port: alive, but not ready.
    pub(crate) fn start(listener: TcpListener, network: &Network) -> anyhow::Result<Self> {
        let metrics = PrometheusBuilder::new()
            .install_recorder()
            .context("cannot install the metrics recorder")?;
        gauges::describe();
        let state = Arc::new(OpsState {
            components: OnceLock::new(),
            stopping: AtomicBool::new(false),
            metrics: metrics.clone(),
            history: Arc::default(),
        });
        let (ready_state, metrics_state) = (state.clone(), state.clone());
        let view_state = state.clone();
        let ops = Ops {
            ready: Arc::new(move || Box::pin(ready(ready_state.clone()))),
            metrics: Arc::new(move || Box::pin(render(metrics_state.clone()))),
            app: Arc::new(move || Some(view_state.components.get()?.app.clone())),
            history: state.history.clone(),
            hosts: network.ops_hosts.clone(),
        };
        Ok(Self {
            state,
            server: spawn(serve_ops(ops, listener)?),
            upkeep: spawn_upkeep(metrics),
            background: OnceLock::new(),
        })
    }

    /// Attaches the open store: from now on readiness depends on it, and its queues are sampled.
    pub(crate) fn attach_store(&self, components: &Components) {
        // Only the first call has an effect.
        if self.state.components.set(components.clone()).is_ok() {
            let history = self.state.history.clone();
            let _ = self.background.set([
                spawn_queue_sampling(history, components.clone()),
                spawn_clock_measurement(components.app.clone()),
            ]);
        }
    }

    /// Marks the process as not ready, so that load balancers send no more requests.
    pub(crate) fn mark_stopping(&self) {
        self.state.stopping.store(true, Ordering::Relaxed);
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

/// Whether this process can do its work.
async fn ready(state: Arc<OpsState>) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    if state.stopping.load(Ordering::Relaxed) {
        return Err("the server is stopping".into());
    }
    let Some(components) = state.components.get() else {
        return Err("waiting for the database".into());
    };
    if components.app.is_clock_too_far_off() {
        return Err("this node's clock differs from the database's by more than 10 seconds".into());
    }
    match tokio::time::timeout(STORE_TIMEOUT, components.maintenance.ping()).await {
        Ok(result) => Ok(result?),
        Err(_) => Err("the database did not respond in time".into()),
    }
}

/// All metrics, with freshly measured queue gauges.
async fn render(state: Arc<OpsState>) -> String {
    let components = state.components.get();
    if let Some(count) = components.and_then(|components| components.round_trips.as_ref()) {
        metrics::counter!("oncharge_database_round_trips_total").absolute(count());
    }
    gauges::measure(components).await;
    state.metrics.render()
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
fn spawn_queue_sampling(history: Arc<QueueHistory>, components: Components) -> JoinHandle<()> {
    tokio::spawn(async move {
        let app = &components.app;
        let record = |depths| history.record(app.now(), depths);
        sampling::sample(record, || operator_queries::depths(app)).await;
    })
}

#[expect(
    clippy::disallowed_methods,
    reason = "the task is owned by `OpsServer`"
)]
fn spawn_clock_measurement(app: App) -> JoinHandle<()> {
    tokio::spawn(async move { store_clock::keep_measuring(&app).await })
}
