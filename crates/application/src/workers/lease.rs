//! Leases of claimed items, renewed while a worker processes them.

use std::{convert::Infallible, pin::pin, time::Duration};

use oncharge_domain::time::Timestamp;
use oncharge_ports::unit_of_work::Lease;
use tracing::warn;

use crate::App;

pub(super) const LEASE: Duration = Duration::from_secs(15);
/// The interval of renewals: one may fail or be slow without losing the lease.
const RENEWAL_INTERVAL: Duration = Duration::from_secs(5);

/// Runs a task and renews its lease until it is done: a look-up and a subsequent call may together
/// last longer than one lease.
pub(super) async fn with_lease<T>(app: &App, lease: Lease, work: impl Future<Output = T>) -> T {
    run_with_renewal(work, keep_renewing(app, lease)).await
}

/// Releases an item until this time; if that fails, its lease expires by itself.
pub(super) async fn release_lease(app: &App, lease: Lease, next_try_at: Timestamp) {
    if let Err(error) = app.inner().store.work.release(lease, next_try_at).await {
        warn!(
            error = &error as &dyn std::error::Error,
            "cannot release a lease; it will expire"
        );
    }
}

async fn keep_renewing(app: &App, lease: Lease) -> Infallible {
    loop {
        tokio::time::sleep(RENEWAL_INTERVAL).await;
        // If the lease is lost, the commit of the task's result fails by itself.
        if let Err(error) = app.inner().store.work.renew(lease, LEASE).await {
            warn!(
                error = &error as &dyn std::error::Error,
                "cannot renew a lease"
            );
        }
    }
}

/// Polls both concurrently, so that a pending renewal never blocks the task: the task's transaction
/// may hold the lock on the very row that the renewal waits for.
async fn run_with_renewal<T>(
    work: impl Future<Output = T>,
    renewal: impl Future<Output = Infallible>,
) -> T {
    let (mut work, mut renewal) = (pin!(work), pin!(renewal));
    tokio::select! {
        done = &mut work => done,
        never = &mut renewal => match never {},
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::{sync::Mutex, time};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_renewal_that_waits_for_a_row_lock_does_not_block_the_work() {
        // As in PostgreSQL: the transaction that ends the task has locked the lease's row, and the
        // renewal, on its own connection, waits for that lock.
        let row = Arc::new(Mutex::new(()));
        let its_row = row.clone();
        let work = async move {
            time::sleep(RENEWAL_INTERVAL.saturating_sub(Duration::from_millis(1))).await;
            let _locked = its_row.lock().await;
            time::sleep(Duration::from_millis(5)).await;
        };
        let renewal = async move {
            loop {
                time::sleep(RENEWAL_INTERVAL).await;
                drop(row.lock().await);
            }
        };
        let done = time::timeout(Duration::from_secs(60), run_with_renewal(work, renewal)).await;
        assert!(done.is_ok(), "the work and its renewal wait for each other");
    }
}
