//! Starts, paces and cleanly stops the workers.

use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::{
    FAILURE_PAUSE, clean_up::CleanUp, deadlines::DeadlineQueue, psp_inbox::NotificationQueue,
    recovery::OperationQueue, webhook_delivery, worker_pool,
};
use crate::{App, Error};

/// The running workers.
pub struct Workers {
    stop: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
}

impl Workers {
    /// Signals the workers to stop, and waits until each has finished its items in progress.
    pub async fn stop(self) {
        self.stop.cancel();
        for task in self.tasks {
            if let Err(error) = task.await {
                warn!(
                    error = &error as &dyn std::error::Error,
                    "a worker task failed"
                );
            }
        }
    }
}

const CLEAN_UP_INTERVAL: Duration = Duration::from_secs(60);

/// Starts all workers.
pub fn start(app: &App) -> Workers {
    let stop = CancellationToken::new();
    let tasks = vec![
        spawn(worker_pool::run::<OperationQueue>(
            app.clone(),
            stop.clone(),
        )),
        spawn(worker_pool::run::<DeadlineQueue>(app.clone(), stop.clone())),
        spawn(worker_pool::run::<NotificationQueue>(
            app.clone(),
            stop.clone(),
        )),
        spawn(webhook_delivery::run(app.clone(), stop.clone())),
        spawn(clean_up(app.clone(), stop.clone())),
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

/// Runs passes, without a pause while there is more to do.
async fn clean_up(app: App, stop: CancellationToken) {
    let mut clean_up = CleanUp::default();
    while !stop.is_cancelled() {
        let turn = async {
            if app.is_clock_too_far_off() {
                return Ok(false);
            }
            let pass = clean_up.pass(&app).await?;
            Ok::<bool, Error>(pass.has_more)
        };
        let pause = match turn.await {
            Ok(false) => CLEAN_UP_INTERVAL,
            Ok(true) => continue,
            Err(error) => {
                warn!(
                    worker = "clean-up",
                    error = &error as &dyn std::error::Error,
                    "the worker cannot use the database, retrying"
                );
                FAILURE_PAUSE
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = app.inner().notifiers.clean_up.notified() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}
