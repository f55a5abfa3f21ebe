//! The task that executes accepted work when it is due, also after a restart.

use std::time::Duration;

use actix_web::web;

use crate::app::Simulator;
use crate::clock;
use crate::engine::due;
use crate::store::{StoreError, operations};

/// The delay before a retry after a database error.
const ERROR_RETRY_DELAY: Duration = Duration::from_secs(1);

/// Executes due work while the simulator runs. Ended by aborting the task, which is always safe:
/// each piece of work is one transaction.
pub(crate) async fn run(simulator: web::Data<Simulator>) {
    loop {
        let delay = match run_due(&simulator).await {
            Ok(delay) => delay,
            Err(error) => {
                tracing::warn!(?error, "cannot complete accepted work");
                Some(ERROR_RETRY_DELAY)
            }
        };
        let notified = simulator.notifiers.work.notified();
        match delay {
            // After a wake-up or a timeout, check for due work.
            Some(delay) => drop(tokio::time::timeout(delay, notified).await),
            None => notified.await,
        }
    }
}

/// Executes all due work and returns the time until the next (`None`: nothing is scheduled).
async fn run_due(simulator: &Simulator) -> Result<Option<Duration>, StoreError> {
    loop {
        let next = simulator
            .store
            .read(|connection| Ok(operations::next_wakeup(connection)?))
            .await?;
        let Some(instant) = next else {
            return Ok(None);
        };
        let remaining = u64::try_from(instant - clock::now()).unwrap_or(0);
        if remaining > 0 {
            return Ok(Some(Duration::from_micros(remaining)));
        }
        simulator.execute(due::run_next).await?;
    }
}
