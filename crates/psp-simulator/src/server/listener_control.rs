//! Requests to close the listening socket for a while.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

/// A request to close the listener for a while.
pub(crate) struct Outage {
    pub(super) period: Duration,
    /// The connection of the request, on which its response is sent.
    pub(super) except: Option<u64>,
    pub(super) closed: oneshot::Sender<()>,
}

/// Accepts requests to close the listener.
pub(crate) struct ListenerControl(mpsc::Sender<Outage>);

impl ListenerControl {
    /// Creates the control and the receiver for its task.
    pub(crate) fn new() -> (Self, mpsc::Receiver<Outage>) {
        let (sender, outages) = mpsc::channel(1);
        (Self(sender), outages)
    }

    /// Closes the listener for `period` and cuts all connections except `except`. Returns once
    /// connecting is refused; the listener reopens by itself.
    pub(crate) async fn close_for(&self, period: Duration, except: Option<u64>) {
        let (closed, closed_receiver) = oneshot::channel();
        if self
            .0
            .send(Outage {
                period,
                except,
                closed,
            })
            .await
            .is_ok()
        {
            let _ = closed_receiver.await;
        }
    }
}
