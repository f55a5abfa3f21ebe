//! State shared by all handlers of the operators' server.

mod sampling;

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use oncharge_application::{App, operator_queries};
use oncharge_domain::time::Timestamp;
use oncharge_ports::work_queue::QueueDepth;

use crate::queue_history::QueueHistory;

/// Time limit for the store in probes, scrapes and samples, whose callers have short timeouts.
pub(crate) const STORE_TIMEOUT: Duration = Duration::from_secs(2);

/// Reads the number of round trips to the database since the process started.
pub type RoundTrips = Arc<dyn Fn() -> u64 + Send + Sync>;

/// State of the operators' server; cheap to clone. It runs without a store: until one is attached,
/// it is not ready, and omits what only the store provides.
#[derive(Clone)]
pub struct Ops(Arc<Inner>);

struct Inner {
    /// Empty until the store is open.
    store: OnceLock<Store>,
    is_stopping: AtomicBool,
    render_metrics: Box<dyn Fn() -> String + Send + Sync>,
    history: QueueHistory,
}

struct Store {
    app: App,
    /// `None` for the embedded database.
    round_trips: Option<RoundTrips>,
}

impl Ops {
    /// The state of a process that starts: alive, but not ready. `render_metrics` renders all
    /// metrics of the process in the Prometheus text format.
    pub fn new(render_metrics: impl Fn() -> String + Send + Sync + 'static) -> Self {
        Self(Arc::new(Inner {
            store: OnceLock::new(),
            is_stopping: AtomicBool::new(false),
            render_metrics: Box::new(render_metrics),
            history: QueueHistory::default(),
        }))
    }

    /// Attaches the open store: from now on readiness depends on it. Only the first call has an
    /// effect.
    pub fn attach_store(&self, app: App, round_trips: Option<RoundTrips>) {
        let _ = self.0.store.set(Store { app, round_trips });
    }

    /// Samples the queues of the store for the view, immediately and then once a minute; never
    /// returns.
    pub async fn sample_queues(&self, app: &App) {
        let record = |depths| self.record_queues(app.now(), depths);
        sampling::sample(record, || operator_queries::depths(app)).await;
    }

    /// Records a sample of the queues; `None` if the store did not respond.
    pub fn record_queues(&self, at: Timestamp, depths: Option<Vec<QueueDepth>>) {
        self.0.history.record(at, depths);
    }

    /// Marks the process as not ready, so that load balancers send no more requests.
    pub fn mark_stopping(&self) {
        self.0.is_stopping.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.0.is_stopping.load(Ordering::Relaxed)
    }

    /// The use cases, once the store is open.
    pub(crate) fn app(&self) -> Option<&App> {
        self.0.store.get().map(|store| &store.app)
    }

    pub(crate) fn round_trips(&self) -> Option<u64> {
        self.0
            .store
            .get()?
            .round_trips
            .as_ref()
            .map(|count| count())
    }

    pub(crate) fn render_metrics(&self) -> String {
        (self.0.render_metrics)()
    }

    pub(crate) fn history(&self) -> &QueueHistory {
        &self.0.history
    }
}
