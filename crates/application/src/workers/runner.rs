//! Starts the workers, paces them, and stops them cleanly.

use std::time::Duration;

use tokio::{sync::Notify, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::{clean_up, deadlines, psp_inbox, recovery, wakes::Wakes, webhook_delivery};
use crate::{App, Error};

/// How many items one claim takes at most.
pub(super) const BATCH: u32 = 32;
/// How long a worker sleeps where nothing wakes it.
pub(super) const POLL: Duration = Duration::from_millis(500);
/// How long a worker sleeps after a failure of the store.
pub(super) const AFTER_FAILURE: Duration = Duration::from_secs(2);

/// The running workers.
pub struct Workers {
    stop: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
}

impl Workers {
    /// Asks the workers to stop, and waits until each has finished what it has in hand.
    pub async fn stop(self) {
        self.stop.cancel();
        for task in self.tasks {
            if let Err(error) = task.await {
                warn!(%error, "a worker ended badly");
            }
        }
    }
}

/// How long the clean-up sleeps.
const RARELY: Duration = Duration::from_secs(60);

/// Starts all workers.
pub fn start(app: &App) -> Workers {
    let stop = CancellationToken::new();
    let turns = [RECOVERY, DEADLINES, INBOX, CLEAN_UP];
    let mut tasks: Vec<_> = turns
        .into_iter()
        .map(|worker| spawn(run(app.clone(), stop.clone(), worker)))
        .collect();
    tasks.push(spawn(webhook_delivery::run(app.clone(), stop.clone())));
    Workers { stop, tasks }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the workers are owned by `Workers`"
)]
fn spawn(work: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
    tokio::spawn(work)
}

type Turn = std::pin::Pin<Box<dyn Future<Output = Result<usize, Error>> + Send>>;

/// A worker that takes turns.
#[derive(Clone, Copy)]
struct Worker {
    name: &'static str,
    turn: fn(App) -> Turn,
    wake: fn(&Wakes) -> &Notify,
    /// How long it sleeps where nothing wakes it.
    sleep: Duration,
}

const RECOVERY: Worker = Worker {
    name: "recovery",
    turn: |app| Box::pin(async move { recovery::run_once(&app).await }),
    wake: |wakes| &wakes.operations,
    sleep: POLL,
};
const DEADLINES: Worker = Worker {
    name: "deadlines",
    turn: |app| Box::pin(async move { deadlines::run_once(&app).await }),
    wake: |wakes| &wakes.never,
    sleep: POLL,
};
const INBOX: Worker = Worker {
    name: "psp inbox",
    turn: |app| Box::pin(async move { psp_inbox::run_once(&app).await }),
    wake: |wakes| &wakes.inbox,
    sleep: POLL,
};
const CLEAN_UP: Worker = Worker {
    name: "clean-up",
    turn: |app| Box::pin(async move { clean_up::run_once(&app).await }),
    wake: |wakes| &wakes.never,
    sleep: RARELY,
};

/// Turn after turn; at once while there is work, else after a wake or the poll's time.
async fn run(app: App, stop: CancellationToken, worker: Worker) {
    while !stop.is_cancelled() {
        let pause = match (worker.turn)(app.clone()).await {
            Ok(0) => worker.sleep,
            Ok(_) => Duration::ZERO,
            Err(error) => {
                warn!(worker = worker.name, %error, "the worker waits for the store");
                AFTER_FAILURE
            }
        };
        if pause.is_zero() {
            continue;
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = (worker.wake)(&app.inner().wakes).notified() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}
