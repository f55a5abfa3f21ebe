//! Mutants of the inbox.

use async_trait::async_trait;
use oncharge_domain::{audit::AuditEntry, id::NotificationId};
use oncharge_ports::{
    CommitError, Inbox, StoreError,
    inbox::{NewNotification, NotificationOutcome, StoredNotification, StuckNotificationFilter},
};
use oncharge_testkit::build::account;

use super::{MutantStore, Mutation};

#[async_trait]
impl Inbox for MutantStore {
    async fn receive(&self, new: &NewNotification) -> Result<bool, StoreError> {
        let mut new = new.clone();
        if self.has(Mutation::KeepsDuplicates)
            && let Some(key) = &mut new.event_key
        {
            *key = format!("{key}{}", new.id);
        }
        if self.has(Mutation::IgnoresAccounts) {
            new.account = account();
        }
        if self.has(Mutation::KeepsOneUnverified) && new.event_key.is_none() {
            new.event_key = Some("none".to_owned());
        }
        self.store.receive(&new).await
    }

    async fn notification(
        &self,
        id: NotificationId,
    ) -> Result<Option<StoredNotification>, StoreError> {
        let mut found = self.store.notification(id).await?;
        if self.has(Mutation::TruncatesBodies)
            && let Some(stored) = &mut found
        {
            stored.new.body.truncate(200);
        }
        Ok(found)
    }

    async fn close(&self, outcome: &NotificationOutcome) -> Result<(), CommitError> {
        let result = self.store.close(outcome).await;
        match result {
            Err(CommitError::LeaseLost) if self.has(Mutation::IgnoresLeases) => Ok(()),
            _ => result,
        }
    }

    async fn dismiss(&self, id: NotificationId, audit: &AuditEntry) -> Result<bool, StoreError> {
        let dismissed = self.store.dismiss(id, audit).await?;
        Ok(dismissed || self.has(Mutation::DismissesAnything))
    }

    async fn dismiss_all(
        &self,
        stuck: &StuckNotificationFilter,
        limit: u32,
        audit: &AuditEntry,
    ) -> Result<u64, StoreError> {
        let mut stuck = stuck.clone();
        if self.has(Mutation::DismissesAnything) {
            stuck.account = None;
        }
        self.store.dismiss_all(&stuck, limit, audit).await
    }
}
