//! Work that no request waits for: recovery of operations, deadlines of sessions.

pub mod deadlines;
pub mod recovery;
pub mod runner;
