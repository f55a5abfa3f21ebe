//! Background workers: recovery of operations, session deadlines, PSP inbox, webhook delivery,
//! clean-up.

pub mod clean_up;
pub mod deadlines;
mod delivery_limiter;
mod lease;
pub(crate) mod notifiers;
pub mod psp_inbox;
pub mod recovery;
pub mod runner;
pub mod webhook_delivery;
mod worker_pool;

use std::time::Duration;

/// The maximum number of items per claim.
const BATCH: u32 = 32;
/// How long a worker sleeps unless it is woken.
const POLL_INTERVAL: Duration = Duration::from_millis(500);
/// How long a worker sleeps after a store failure.
const FAILURE_PAUSE: Duration = Duration::from_secs(2);
