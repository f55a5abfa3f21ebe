//! What follows a webhook: the shop asks OnCharge how the order's payment stands.

use actix_web::web::Data;
use tokio::{
    sync::mpsc::{self, Receiver, Sender},
    task::JoinHandle,
};

use crate::shop::{
    Shop,
    view::{self, Freshness},
};

/// How many hints may wait. One that finds no place is dropped: a page looks by itself soon.
const MAX_QUEUED: usize = 1000;

/// Takes hints, as order numbers.
pub(crate) struct RefreshQueue(Sender<u64>);

/// What hands the hints over to the task that acts on them.
pub(crate) struct RefreshWorker(pub(super) Receiver<u64>);

/// Both ends.
pub(crate) fn channel() -> (RefreshQueue, RefreshWorker) {
    let (sender, receiver) = mpsc::channel(MAX_QUEUED);
    (RefreshQueue(sender), RefreshWorker(receiver))
}

impl RefreshQueue {
    /// Something has happened to this order.
    pub(crate) fn enqueue(&self, number: u64) {
        if self.0.try_send(number).is_err() {
            tracing::debug!(number, "a hint was dropped");
        }
    }
}

impl RefreshWorker {
    /// Starts to act on hints, one after the other.
    pub(crate) fn start(mut self, shop: Data<Shop>) -> JoinHandle<()> {
        let worker = async move {
            while let Some(number) = self.0.recv().await {
                if let Err(error) = view::load(&shop, number, Freshness::Now).await {
                    tracing::warn!(number, %error, "the demo shop cannot follow a webhook");
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
