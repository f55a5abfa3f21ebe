//! `Inbox` of the in-memory store.

use async_trait::async_trait;
use oncharge_domain::{audit::AuditEntry, id::NotificationId};
use oncharge_ports::{
    CommitError, Inbox, StoreError,
    inbox::{
        NewNotification, NotificationOutcome, NotificationStatus, StoredNotification,
        StuckNotificationFilter,
    },
    unit_of_work::LeasedItem,
};

use super::{MemoryStore, commit::constraint_violation, state::NotificationRow};

#[async_trait]
impl Inbox for MemoryStore {
    async fn receive(&self, new: &NewNotification) -> Result<bool, StoreError> {
        let mut state = self.state();
        let is_same = |row: &NotificationRow| {
            let other = &row.stored.new;
            new.event_key.is_some()
                && other.event_key == new.event_key
                && other.account == new.account
        };
        if state.notifications.values().any(is_same) {
            return Ok(false);
        }
        if state.notifications.contains_key(&new.id) {
            return Err(StoreError::Failed("a notification is kept once".into()));
        }
        let status = match new.event_key {
            Some(_) => NotificationStatus::Waiting,
            None => NotificationStatus::Unverified,
        };
        let row = NotificationRow {
            stored: StoredNotification {
                new: new.clone(),
                status,
            },
            session: None,
            next_try_at: new.received_at,
            tries: 0,
            claim: None,
        };
        state.notifications.insert(new.id, row);
        Ok(true)
    }

    async fn notification(
        &self,
        id: NotificationId,
    ) -> Result<Option<StoredNotification>, StoreError> {
        let state = self.state();
        Ok(state.notifications.get(&id).map(|row| row.stored.clone()))
    }

    async fn close(&self, outcome: &NotificationOutcome) -> Result<(), CommitError> {
        let now = self.clock.now();
        self.write(|state| {
            let LeasedItem::Notification(id) = outcome.lease.item else {
                return Err(constraint_violation(
                    "a notification is closed under its own lease",
                ));
            };
            if state.live_claim(outcome.lease, now).is_none() {
                return Err(CommitError::LeaseLost);
            }
            if let Some(row) = state.notifications.get_mut(&id) {
                row.end(outcome.status);
                row.session = outcome.session;
            }
            state.audit.extend(outcome.audit.clone());
            Ok(())
        })
        .await
    }

    async fn dismiss(&self, id: NotificationId, audit: &AuditEntry) -> Result<bool, StoreError> {
        let mut state = self.state();
        let found = state.notifications.get_mut(&id);
        let Some(row) = found.filter(|row| row.stored.status.is_stuck()) else {
            return Ok(false);
        };
        row.end(NotificationStatus::Dismissed);
        state.audit.push(audit.clone());
        Ok(true)
    }

    async fn dismiss_all(
        &self,
        stuck: &StuckNotificationFilter,
        limit: u32,
        audit: &AuditEntry,
    ) -> Result<u64, StoreError> {
        let mut state = self.state();
        let is_meant = |row: &NotificationRow| {
            let new = &row.stored.new;
            row.stored.status == stuck.status
                && stuck.status.is_stuck()
                && new.received_at < stuck.received_before
                && stuck.account.as_ref().is_none_or(|of| *of == new.account)
        };
        let rows = state.notifications.values_mut();
        let mut meant: Vec<&mut NotificationRow> = rows.filter(|row| is_meant(row)).collect();
        meant.sort_by_key(|row| row.stored.new.received_at);
        meant.truncate(limit as usize);
        let count = meant.len();
        for row in meant {
            row.end(NotificationStatus::Dismissed);
        }
        if count > 0 {
            state.audit.push(AuditEntry {
                detail: format!("{count} {}", audit.detail),
                ..audit.clone()
            });
        }
        Ok(count as u64)
    }
}
