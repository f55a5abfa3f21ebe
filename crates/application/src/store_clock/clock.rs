//! The clock of this process.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use oncharge_domain::time::Timestamp;
use oncharge_ports::Clock;
use time::Duration;

/// The difference above which this node is not ready and its workers pause.
const MAX_SKEW: Duration = Duration::seconds(10);

/// This node's clock and its measured difference from the store's.
pub(crate) struct StoreClock {
    pub(super) node: Arc<dyn Clock>,
    /// Microseconds by which the node's clock is ahead.
    pub(super) ahead: AtomicI64,
}

impl StoreClock {
    /// Uncorrected until the first measurement.
    pub(crate) fn new(node: Arc<dyn Clock>) -> Self {
        let ahead = AtomicI64::new(0);
        Self { node, ahead }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.node.now().plus(-self.ahead())
    }

    pub(crate) fn ahead(&self) -> Duration {
        Duration::microseconds(self.ahead.load(Ordering::Relaxed))
    }

    pub(crate) fn exceeds_max_skew(&self) -> bool {
        self.ahead().abs() > MAX_SKEW
    }
}
