//! Leases: held while work goes on, lost soon after the worker is.

use std::{pin::pin, time::Duration};

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
    let mut work = pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return done,
            () = tokio::time::sleep(RENEWED) => {
                // Where it is lost, the commit of what comes of the work fails by itself.
                if let Err(error) = app.inner().work.renew(lease, LEASE).await {
                    warn!(%error, "a lease could not be renewed");
                }
            }
        }
    }
}
