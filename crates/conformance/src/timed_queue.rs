//! A work queue whose claims are made at a given time.

use std::{ops::Deref, sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use oncharge_domain::time::Timestamp;
use oncharge_ports::{
    WorkQueue,
    work_queue::{
        ClaimFilter, ClaimedDelivery, ClaimedNotification, ClaimedOperation, ClaimedSession,
        DeliveryClaimFilter,
    },
};
use oncharge_testkit::FakeClock;

/// Sets the clock by which a store judges due times and leases.
pub type SetClock = Arc<dyn Fn(Timestamp) -> BoxFuture<'static, anyhow::Result<()>> + Send + Sync>;

/// A [`SetClock`] for a store that was opened with this clock.
pub fn set_fake_clock(clock: Arc<FakeClock>) -> SetClock {
    Arc::new(move |now| {
        clock.set(now);
        Box::pin(std::future::ready(Ok(())))
    })
}

/// A work queue whose claims are made at a time that the law specifies.
#[derive(Clone)]
pub struct TimedQueue {
    queue: Arc<dyn WorkQueue>,
    clock: SetClock,
}

impl TimedQueue {
    /// Wraps the queue of a store with this clock.
    pub fn new(queue: Arc<dyn WorkQueue>, clock: SetClock) -> Self {
        Self { queue, clock }
    }

    /// Sets the store's clock to this time and returns its queue.
    pub(crate) async fn at(&self, now: Timestamp) -> anyhow::Result<&Arc<dyn WorkQueue>> {
        (self.clock)(now).await?;
        Ok(&self.queue)
    }

    pub(crate) async fn claim_operations(
        &self,
        now: Timestamp,
        filter: &ClaimFilter,
        lease: Duration,
    ) -> anyhow::Result<Vec<ClaimedOperation>> {
        Ok(self.at(now).await?.claim_operations(filter, lease).await?)
    }

    pub(crate) async fn claim_sessions(
        &self,
        now: Timestamp,
        filter: &ClaimFilter,
        lease: Duration,
    ) -> anyhow::Result<Vec<ClaimedSession>> {
        Ok(self.at(now).await?.claim_sessions(filter, lease).await?)
    }

    pub(crate) async fn claim_notifications(
        &self,
        now: Timestamp,
        filter: &ClaimFilter,
        lease: Duration,
    ) -> anyhow::Result<Vec<ClaimedNotification>> {
        let queue = self.at(now).await?;
        Ok(queue.claim_notifications(filter, lease).await?)
    }

    pub(crate) async fn claim_deliveries(
        &self,
        now: Timestamp,
        filter: &DeliveryClaimFilter,
        lease: Duration,
    ) -> anyhow::Result<Vec<ClaimedDelivery>> {
        Ok(self.at(now).await?.claim_deliveries(filter, lease).await?)
    }
}

impl Deref for TimedQueue {
    type Target = dyn WorkQueue;

    fn deref(&self) -> &Self::Target {
        &*self.queue
    }
}
