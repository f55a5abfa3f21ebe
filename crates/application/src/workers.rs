//! Work that no request waits for: recovery of operations, deadlines of sessions, the PSPs' inbox,
//! webhooks out, and clean-up.

pub mod clean_up;
pub mod deadlines;
mod hands;
mod lanes;
mod lease;
pub mod psp_inbox;
pub mod recovery;
pub mod runner;
pub(crate) mod wakes;
pub mod webhook_delivery;
