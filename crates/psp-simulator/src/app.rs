//! The state that all handlers and tasks share.

use std::sync::Arc;

use oncharge_http_server::AllowedHosts;
use tokio::sync::Notify;

use crate::config::Secret;
use crate::faults::Faults;
use crate::server::listener_control::ListenerControl;
use crate::store::{Store, StoreError};
use crate::stripe::account::Account;
use crate::transaction::Transaction;

/// The state of a running simulator, shared by handlers and tasks.
pub(crate) struct Simulator {
    pub(crate) store: Store,
    pub(crate) faults: Faults,
    pub(crate) bearer: Secret,
    /// The account of the Stripe face; `None` if the face is off.
    pub(crate) stripe: Option<Arc<Account>>,
    /// The origin of challenge URLs.
    pub(crate) public_url: String,
    /// The host names under which requests are accepted.
    pub(crate) hosts: AllowedHosts,
    pub(crate) notifiers: Notifiers,
    pub(crate) listener_control: ListenerControl,
}

impl Simulator {
    /// Executes `work` in one transaction, returns once it is durable, and wakes the tasks for which
    /// it may have created work.
    pub(crate) async fn execute<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Transaction<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        let (faults, stripe) = (self.faults.clone(), self.stripe.clone());
        let result = self
            .store
            .write(move |connection| work(&mut Transaction::new(connection, &faults, stripe)))
            .await?;
        self.notifiers.notify_all();
        Ok(result)
    }
}

/// Wakes the tasks that wait for work.
#[derive(Clone, Default)]
pub(crate) struct Notifiers {
    /// Accepted work and late failures.
    pub(crate) work: Arc<Notify>,
    /// The queue of outgoing notifications.
    pub(crate) delivery: Arc<Notify>,
}

impl Notifiers {
    /// Wakes all tasks after a commit that may have created work for any of them.
    pub(crate) fn notify_all(&self) {
        self.work.notify_one();
        self.delivery.notify_one();
    }
}
