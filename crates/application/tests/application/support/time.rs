//! Time and workers.

use oncharge_application::workers::{deadlines, psp_inbox, recovery, webhook_delivery};
use oncharge_domain::{operation::Operation, time::Timestamp, webhook::DeliveryState};
use oncharge_ports::inbox::NotificationStatus;

use super::{Order, World};

/// Lets every other task run until it waits for something that does not come by itself.
pub(crate) async fn let_other_tasks_run() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

impl World {
    /// Lets the workers do what is due at this moment, until nothing is.
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
        panic!("the workers find something due at once, again and again");
    }

    /// Lets so many seconds pass, with workers at every second step of growing length.
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

    /// Moves the clock to this moment, without workers, unless it is past it.
    pub(crate) fn wait_until(&self, at: Timestamp) {
        if self.now() < at {
            self.clock.set(at);
        }
    }

    /// Moves the clock to so many seconds after the session's expiry, without workers.
    pub(crate) async fn wait_past_expiry(&self, order: &Order, seconds: i64) {
        let expires_at = self.session(order).await.expires_at;
        self.wait_until(expires_at.plus_seconds(seconds));
    }

    /// Lets time pass and the workers run until no operation is open, no notification waits and no
    /// event is on its way.
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
