//! Leases: held while work goes on, lost soon after the worker is.

use std::{convert::Infallible, pin::pin, time::Duration};

use oncharge_domain::time::Timestamp;
use oncharge_ports::unit_of_work::Lease;
use tracing::warn;

use crate::App;

/// How long a claim lasts.
pub(super) const LEASE: Duration = Duration::from_secs(15);
/// How often it is renewed: a renewal may fail once or take its time, and the claim still holds.
const RENEWED: Duration = Duration::from_secs(5);

/// Does a piece of work and renews its lease until it is done: a look-up and a call after it may
/// together last longer than one lease.
pub(super) async fn holding<T>(app: &App, lease: Lease, work: impl Future<Output = T>) -> T {
    beside(work, renewing(app, lease)).await
}

/// Gives an item back until this time; where that fails, its lease runs out by itself.
pub(super) async fn give_back(app: &App, lease: Lease, next_try_at: Timestamp) {
    if let Err(error) = app.inner().work.release(lease, next_try_at).await {
        warn!(%error, "a lease could not be given back; it runs out by itself");
    }
}

async fn renewing(app: &App, lease: Lease) -> Infallible {
    loop {
        tokio::time::sleep(RENEWED).await;
        // Where it is lost, the commit of what comes of the work fails by itself.
        if let Err(error) = app.inner().work.renew(lease, LEASE).await {
            warn!(%error, "a lease could not be renewed");
        }
    }
}

/// Both go on beside each other, so that the work never stands still while its lease is renewed:
/// what it is just writing holds the lock on the very row that the renewal waits for.
async fn beside<T>(work: impl Future<Output = T>, renewing: impl Future<Output = Infallible>) -> T {
    let (mut work, mut renewing) = (pin!(work), pin!(renewing));
    tokio::select! {
        done = &mut work => done,
        never = &mut renewing => match never {},
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::{sync::Mutex, time};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn work_that_holds_its_row_goes_on_while_a_renewal_waits_for_that_row() {
        // As in PostgreSQL: the transaction that ends the work has locked the lease's row, and the
        // renewal, on a connection of its own, waits for that lock.
        let row = Arc::new(Mutex::new(()));
        let its_row = row.clone();
        let work = async move {
            time::sleep(RENEWED.saturating_sub(Duration::from_millis(1))).await;
            let _locked = its_row.lock().await;
            time::sleep(Duration::from_millis(5)).await;
        };
        let renewing = async move {
            loop {
                time::sleep(RENEWED).await;
                drop(row.lock().await);
            }
        };
        let done = time::timeout(Duration::from_secs(60), beside(work, renewing)).await;
        assert!(done.is_ok(), "the work and its renewal wait for each other");
    }
}
