//! Time and workers.

use oncharge_application::workers::{deadlines, recovery};
use oncharge_domain::{operation::Operation, time::Timestamp};

use super::{Order, World};

impl World {
    /// Lets the workers do what is due at this moment, until nothing is.
    pub(crate) async fn work(&self) {
        for _ in 0..200 {
            let recovered = recovery::run_once(&self.app).await.unwrap();
            let met = deadlines::run_once(&self.app).await.unwrap();
            if recovered + met == 0 {
                return;
            }
        }
        panic!("the workers find something due at once, again and again");
    }

    /// Lets so many seconds pass, with workers at every second step of growing length.
    pub(crate) async fn pass(&self, seconds: i64) {
        let end = self.now().plus_seconds(seconds);
        let mut step = 1;
        while self.now() < end {
            let left = end.since(self.now()).whole_seconds();
            self.clock.advance(step.min(left));
            self.work().await;
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

    /// Lets time pass and the workers run until no operation is open.
    pub(crate) async fn settle(&self) {
        self.work().await;
        for _ in 0..300 {
            let orders = self.store.session_ids();
            let open = |id| self.store.operations_of(id).iter().any(Operation::is_open);
            if !orders.into_iter().any(open) {
                return;
            }
            self.clock.advance(10);
            self.work().await;
        }
    }
}
