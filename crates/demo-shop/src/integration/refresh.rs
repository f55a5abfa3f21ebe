//! Refreshes an order's payment from OnCharge after a webhook.

use actix_web::web::Data;
use tokio::{
    sync::mpsc::{self, Receiver, Sender},
    task::JoinHandle,
};

use crate::{
    Shop,
    view::{self, Freshness},
};

/// Maximum number of queued refreshes. Beyond it they are dropped: pages refresh on their own.
const MAX_QUEUED: usize = 1000;

/// The sending half, which takes order numbers.
pub(crate) struct RefreshQueue(Sender<u64>);

/// The receiving half, for the task that executes the refreshes.
pub(crate) struct RefreshWorker(pub(super) Receiver<u64>);

/// Creates both halves.
pub(crate) fn channel() -> (RefreshQueue, RefreshWorker) {
    let (sender, receiver) = mpsc::channel(MAX_QUEUED);
    (RefreshQueue(sender), RefreshWorker(receiver))
}

impl RefreshQueue {
    /// Requests a refresh of this order.
    pub(crate) fn enqueue(&self, number: u64) {
        if self.0.try_send(number).is_err() {
            tracing::debug!(number, "dropped a webhook's hint");
        }
    }
}

impl RefreshWorker {
    /// Starts a task that executes refreshes one by one.
    pub(crate) fn start(mut self, shop: Data<Shop>) -> JoinHandle<()> {
        let worker = async move {
            while let Some(number) = self.0.recv().await {
                if let Err(error) = view::load(&shop, number, Freshness::Now).await {
                    tracing::warn!(number, %error,
                        "the demo shop cannot refresh the order of a webhook");
                }
            }
        };
        #[expect(
            clippy::disallowed_methods,
            reason = "the task is owned by `Running`, which ends it"
        )]
        tokio::spawn(worker)
    }
}
