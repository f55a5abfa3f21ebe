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
