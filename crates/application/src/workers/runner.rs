//! Starts the workers, paces them, and stops them cleanly.

use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::{deadlines, recovery};
use crate::{App, Error};

/// How many items one claim takes at most.
pub(super) const BATCH: u32 = 32;
/// How long a worker sleeps where nothing wakes it.
const POLL: Duration = Duration::from_millis(500);
/// How long a worker sleeps after a failure of the store.
const AFTER_FAILURE: Duration = Duration::from_secs(2);

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

/// Starts recovery and deadlines.
pub fn start(app: &App) -> Workers {
    let stop = CancellationToken::new();
    let tasks = vec![
        spawn(run(app.clone(), stop.clone(), "recovery", recover)),
        spawn(run(app.clone(), stop.clone(), "deadlines", meet_deadlines)),
    ];
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

fn recover(app: App) -> Turn {
    Box::pin(async move { recovery::run_once(&app).await })
}

fn meet_deadlines(app: App) -> Turn {
    Box::pin(async move { deadlines::run_once(&app).await })
}

/// Turn after turn; at once while there is work, else after a wake or the poll's time.
async fn run(app: App, stop: CancellationToken, name: &'static str, turn: fn(App) -> Turn) {
    while !stop.is_cancelled() {
        let pause = match turn(app.clone()).await {
            Ok(0) => POLL,
            Ok(_) => Duration::ZERO,
            Err(error) => {
                warn!(worker = name, %error, "the worker waits for the store");
                AFTER_FAILURE
            }
        };
        if pause.is_zero() {
            continue;
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = app.inner().work_came.notified() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}
