//! The operators' port: answers from before the database is there until the very end.

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
use oncharge_adapter_http::{History, Ops, serve_ops};
use oncharge_application::{App, oversight, store_clock};
use tokio::task::JoinHandle;

use super::{Task, gauges, sampling, spawn};
use crate::{config::Network, wiring::Wired};

/// How often histograms are summed up: until then they keep every single observation.
const UPKEEP: Duration = Duration::from_secs(5);
/// How long the store may take to answer whoever looks: who looks does not wait for long either.
pub(super) const LIMIT: Duration = Duration::from_secs(2);

/// The running operators' port.
pub(crate) struct Operators {
    known: Arc<Known>,
    server: Task,
    upkeep: JoinHandle<()>,
    /// Empty until the database is there: samples the queues, and measures the clock's skew.
    background: OnceLock<[JoinHandle<()>; 2]>,
}

/// What the port answers from.
struct Known {
    /// Empty until the database is there.
    wired: OnceLock<Wired>,
    stopping: AtomicBool,
    metrics: PrometheusHandle,
    history: Arc<History>,
}

impl Operators {
    /// Starts to answer: alive, but not ready.
    pub(crate) fn start(listener: TcpListener, network: &Network) -> anyhow::Result<Self> {
        let metrics = PrometheusBuilder::new()
            .install_recorder()
            .context("metrics cannot be kept")?;
        gauges::describe();
        let known = Arc::new(Known {
            wired: OnceLock::new(),
            stopping: AtomicBool::new(false),
            metrics: metrics.clone(),
            history: Arc::default(),
        });
        let (for_ready, for_metrics) = (known.clone(), known.clone());
        let for_view = known.clone();
        let ops = Ops {
            ready: Arc::new(move || Box::pin(ready(for_ready.clone()))),
            metrics: Arc::new(move || Box::pin(render(for_metrics.clone()))),
            app: Arc::new(move || Some(for_view.wired.get()?.app.clone())),
            history: known.history.clone(),
            hosts: network.ops_hosts.clone(),
        };
        Ok(Self {
            known,
            server: spawn(serve_ops(ops, listener)?),
            upkeep: keep_up(metrics),
            background: OnceLock::new(),
        })
    }

    /// The database is there: from now on it decides whether this process is ready, and its queues
    /// are sampled.
    pub(crate) fn opened(&self, wired: &Wired) {
        // Called once; a second call would change nothing.
        if self.known.wired.set(wired.clone()).is_ok() {
            let history = self.known.history.clone();
            let _ = self.background.set([
                keep_sampling(history, wired.clone()),
                keep_measuring_the_clock(wired.app.clone()),
            ]);
        }
    }

    /// No longer ready, so that nobody sends more.
    pub(crate) fn stopping(&self) {
        self.known.stopping.store(true, Ordering::Relaxed);
    }

    /// Ends the port.
    pub(crate) async fn stop(self) {
        self.upkeep.abort();
        for task in self.background.get().into_iter().flatten() {
            task.abort();
        }
        self.server.stop().await;
    }
}

/// Whether this process can do its work.
async fn ready(known: Arc<Known>) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    if known.stopping.load(Ordering::Relaxed) {
        return Err("it stops".into());
    }
    let Some(wired) = known.wired.get() else {
        return Err("it waits for the database".into());
    };
    if wired.app.is_clock_too_far_off() {
        return Err("this node's clock differs from the database's by more than 10 seconds".into());
    }
    match tokio::time::timeout(LIMIT, wired.maintenance.ping()).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err("the database does not answer in time".into()),
    }
}

/// All metrics; those of the queues are measured now.
async fn render(known: Arc<Known>) -> String {
    let wired = known.wired.get();
    if let Some(count) = wired.and_then(|wired| wired.round_trips.as_ref()) {
        metrics::counter!("oncharge_database_round_trips_total").absolute(count());
    }
    gauges::measure(wired).await;
    known.metrics.render()
}

#[expect(
    clippy::disallowed_methods,
    reason = "the task is owned by `Operators`"
)]
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
    reason = "the task is owned by `Operators`"
)]
fn keep_sampling(history: Arc<History>, wired: Wired) -> JoinHandle<()> {
    tokio::spawn(async move {
        let app = &wired.app;
        let record = |depths| history.record(app.now(), depths);
        sampling::sample(record, || oversight::depths(app)).await;
    })
}

#[expect(
    clippy::disallowed_methods,
    reason = "the task is owned by `Operators`"
)]
fn keep_measuring_the_clock(app: App) -> JoinHandle<()> {
    tokio::spawn(async move { store_clock::keep_measuring(&app).await })
}
