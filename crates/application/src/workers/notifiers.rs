//! Wakes workers of this process as soon as there is work; for others there is the poll.

use tokio::sync::Notify;

/// One for each worker that can be woken. A wake that comes while the worker is busy is kept.
#[derive(Default)]
pub(crate) struct Notifiers {
    /// An operation is due.
    pub(crate) operations: Notify,
    /// A notification has come.
    pub(crate) inbox: Notify,
    /// An event is to be delivered.
    pub(crate) deliveries: Notify,
    /// An endpoint has ended, and may have left deliveries over.
    pub(crate) clean_up: Notify,
    /// Nobody wakes this one.
    pub(crate) never: Notify,
}
