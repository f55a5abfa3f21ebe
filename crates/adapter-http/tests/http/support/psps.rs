//! Test doubles for PSP webhooks: the accounts, and an inbox that can be unavailable.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use oncharge_domain::{audit::AuditEntry, id::NotificationId, psp::PspAccount};
use oncharge_ports::{
    CommitError, Inbox, Psp, PspRegistry, StoreError,
    inbox::{NewNotification, NotificationOutcome, StoredNotification, StuckNotificationFilter},
};
use oncharge_testkit::{MemoryStore, ScriptedPsp};

/// One account, `simulator/default`.
pub(crate) struct SingleAccountPsps(pub(crate) ScriptedPsp);

impl PspRegistry for SingleAccountPsps {
    fn account(&self, account: &PspAccount) -> Option<Arc<dyn Psp>> {
        let known = PspAccount::new("simulator", "default").ok();
        (Some(account) == known.as_ref()).then(|| Arc::new(self.0.clone()) as _)
    }

    fn unavailable_accounts(&self) -> Vec<PspAccount> {
        self.0.unavailable_accounts()
    }
}

/// The store's inbox; refuses notifications while it is unavailable.
pub(crate) struct FailingInbox {
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) is_unavailable: Arc<AtomicBool>,
}

#[async_trait::async_trait]
impl Inbox for FailingInbox {
    async fn receive(&self, new: &NewNotification) -> Result<bool, StoreError> {
        if self.is_unavailable.load(Ordering::SeqCst) {
            return Err(StoreError::Unavailable("away".into()));
        }
        self.store.receive(new).await
    }

    async fn notification(
        &self,
        id: NotificationId,
    ) -> Result<Option<StoredNotification>, StoreError> {
        self.store.notification(id).await
    }

    async fn close(&self, outcome: &NotificationOutcome) -> Result<(), CommitError> {
        self.store.close(outcome).await
    }

    async fn dismiss(&self, id: NotificationId, audit: &AuditEntry) -> Result<bool, StoreError> {
        self.store.dismiss(id, audit).await
    }

    async fn dismiss_all(
        &self,
        stuck: &StuckNotificationFilter,
        limit: u32,
        audit: &AuditEntry,
    ) -> Result<u64, StoreError> {
        self.store.dismiss_all(stuck, limit, audit).await
    }
}
