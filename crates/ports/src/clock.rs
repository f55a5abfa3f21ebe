//! The clock port.

use oncharge_domain::time::Timestamp;

/// A source of the present time.
pub trait Clock: Send + Sync {
    /// The present time, UTC.
    fn now(&self) -> Timestamp;
}
