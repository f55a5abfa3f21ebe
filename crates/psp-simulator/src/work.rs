//! The task that does accepted work when its time has come, also after a restart.

use std::time::Duration;

use actix_web::web;

use crate::app::Simulator;
use crate::clock;
use crate::engine::{Unit, due};
use crate::store::{StoreError, operations};

/// How long to wait before looking again after the database refused to answer.
const AFTER_TROUBLE: Duration = Duration::from_secs(1);

/// Works for as long as the simulator runs. Ends by being aborted, which is safe anywhere: each
/// piece of work is one transaction.
pub(crate) async fn run(simulator: web::Data<Simulator>) {
    loop {
        let pause = match do_due(&simulator).await {
            Ok(pause) => pause,
            Err(error) => {
                tracing::warn!(?error, "accepted work could not be done");
                Some(AFTER_TROUBLE)
            }
        };
        let woken = simulator.wake.work.notified();
        match pause {
            // Whether it was woken or its time has come: it looks again either way.
            Some(pause) => drop(tokio::time::timeout(pause, woken).await),
            None => woken.await,
        }
    }
}

/// Does all that is due and says how long until the next (`None`: nothing waits).
async fn do_due(simulator: &Simulator) -> Result<Option<Duration>, StoreError> {
    loop {
        let next = simulator
            .store
            .read(|connection| Ok(operations::next_instant(connection)?))
            .await?;
        let Some(instant) = next else {
            return Ok(None);
        };
        let early = u64::try_from(instant - clock::now()).unwrap_or(0);
        if early > 0 {
            return Ok(Some(Duration::from_micros(early)));
        }
        let faults = simulator.faults.clone();
        simulator
            .store
            .write(move |connection| due::do_next(&mut Unit::new(connection, &faults)))
            .await?;
        simulator.wake.delivery.notify_one();
    }
}
