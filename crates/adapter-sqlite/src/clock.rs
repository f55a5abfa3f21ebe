//! The database's clock, by which leases are judged.

use std::time::Duration;

/// SQL expression for the database's clock, in microseconds since 1970: the same for all processes
/// on the file.
pub(crate) const CLOCK: &str = "CAST(unixepoch('subsec') * 1000000 AS INTEGER)";

/// A duration in microseconds, the unit of lease columns.
pub(crate) fn interval(length: Duration) -> i64 {
    i64::try_from(length.as_micros()).unwrap_or(i64::MAX)
}
