//! Wakes workers of this process when work arrives; work of other processes is found by polling.

use tokio::sync::Notify;

/// One notifier per worker. A wake-up while the worker is busy is kept.
#[derive(Default)]
pub(crate) struct Notifiers {
    /// An operation is due.
    pub(crate) operations: Notify,
    /// A PSP notification was received.
    pub(crate) inbox: Notify,
    /// A delivery is due.
    pub(crate) deliveries: Notify,
    /// An endpoint has ended and may have left orphaned deliveries.
    pub(crate) clean_up: Notify,
    /// Never notified.
    pub(crate) never: Notify,
}
