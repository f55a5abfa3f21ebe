//! The task that does accepted work when its time has come, also after a restart.

use std::time::Duration;

use actix_web::web;

use crate::app::Simulator;
use crate::clock;
use crate::engine::{Transaction, due};
use crate::store::{StoreError, operations};

/// How long to wait before looking again after the database refused to answer.
const ERROR_RETRY_DELAY: Duration = Duration::from_secs(1);

/// Works for as long as the simulator runs. Ends by being aborted, which is safe anywhere: each
/// piece of work is one transaction.
pub(crate) async fn run(simulator: web::Data<Simulator>) {
    loop {
        let delay = match run_due(&simulator).await {
            Ok(delay) => delay,
            Err(error) => {
                tracing::warn!(?error, "accepted work could not be done");
                Some(ERROR_RETRY_DELAY)
            }
        };
        let notified = simulator.notifiers.work.notified();
        match delay {
            // Whether it was woken or its time has come: it looks again either way.
            Some(delay) => drop(tokio::time::timeout(delay, notified).await),
            None => notified.await,
        }
    }
}

/// Does all that is due and says how long until the next (`None`: nothing waits).
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
        let faults = simulator.faults.clone();
        simulator
            .store
            .write(move |connection| due::run_next(&mut Transaction::new(connection, &faults)))
            .await?;
        simulator.notifiers.delivery.notify_one();
    }
}
