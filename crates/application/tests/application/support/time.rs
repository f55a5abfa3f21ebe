//! Time and workers.

use oncharge_application::workers::{deadlines, psp_inbox, recovery, webhook_delivery};
use oncharge_domain::{operation::Operation, time::Timestamp, webhook::DeliveryState};
use oncharge_ports::inbox::NotificationStatus;

use super::{Order, World};

/// Lets every other task run until it is blocked.
pub(crate) async fn let_other_tasks_run() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

impl World {
    /// Lets the workers do all work that is due now.
    pub(crate) async fn run_workers(&self) {
        for _ in 0..200 {
            let recovered = recovery::run_once(&self.app).await.unwrap();
            let met = deadlines::run_once(&self.app).await.unwrap();
            let applied = psp_inbox::run_once(&self.app).await.unwrap();
            let delivered = webhook_delivery::run_once(&self.app).await.unwrap();
            if recovered + met + applied + delivered == 0 {
                return;
            }
        }
        panic!("the workers' work does not end");
    }

    /// Advances time by this many seconds, with the workers run at steps of increasing length.
    pub(crate) async fn run_for(&self, seconds: i64) {
        let end = self.now().plus_seconds(seconds);
        let mut step = 1;
        while self.now() < end {
            let left = end.since(self.now()).whole_seconds();
            self.clock.advance(step.min(left));
            self.run_workers().await;
            step = (step * 2).min(30);
        }
    }

    /// Sets the clock to this time, without workers, unless it is later already.
    pub(crate) fn wait_until(&self, at: Timestamp) {
        if self.now() < at {
            self.clock.set(at);
        }
    }

    /// Sets the clock to this many seconds after the session's expiry, without workers.
    pub(crate) async fn wait_past_expiry(&self, order: &Order, seconds: i64) {
        let expires_at = self.session(order).await.expires_at;
        self.wait_until(expires_at.plus_seconds(seconds));
    }

    /// Advances time and runs the workers until no operation is open, no notification waits and no
    /// delivery is pending.
    pub(crate) async fn run_until_idle(&self) {
        self.run_workers().await;
        for _ in 0..300 {
            if !self.has_work() {
                return;
            }
            self.clock.advance(10);
            self.run_workers().await;
        }
    }

    fn has_work(&self) -> bool {
        let waiting = NotificationStatus::Waiting;
        let notifications = self.store.notifications();
        let pending = DeliveryState::Pending;
        let of_session = |id| {
            let mut operations = self.store.operations_of(id).into_iter();
            let mut deliveries = self.store.deliveries_of(id).into_iter();
            operations.any(|operation| Operation::is_open(&operation))
                || deliveries.any(|delivery| delivery.state == pending)
        };
        notifications.iter().any(|stored| stored.status == waiting)
            || self.store.session_ids().into_iter().any(of_session)
    }
}
