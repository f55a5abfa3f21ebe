//! Work that no request waits for: recovery of operations, deadlines of sessions.

pub mod deadlines;
mod lease;
pub mod recovery;
pub mod runner;
