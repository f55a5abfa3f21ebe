//! The store in memory as `Maintenance`.

use async_trait::async_trait;
use oncharge_ports::{
    Maintenance, StoreError,
    inbox::{NotificationStatus, StoredNotification},
    maintenance::Old,
};

use super::{
    MemoryStore,
    state::{KeyRow, State},
};

#[async_trait]
impl Maintenance for MemoryStore {
    async fn ping(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// Nothing is sealed in memory.
    async fn keys_fit(&self) -> Result<bool, StoreError> {
        Ok(true)
    }

    /// Nothing is sealed in memory.
    async fn reseal(&self) -> Result<u64, StoreError> {
        Ok(0)
    }

    async fn clean_up(&self, old: &Old, limit: u32) -> Result<u64, StoreError> {
        let mut state = self.state();
        let most = limit as usize;
        let keys = state.keys.iter();
        let keys: Vec<_> = keys
            .filter(|(_, row)| state.is_old_key(row, old))
            .map(|(scope, _)| scope.clone())
            .take(most)
            .collect();
        let notifications = state.notifications.iter();
        let notifications: Vec<_> = notifications
            .filter(|(_, row)| is_old(&row.stored, old))
            .map(|(id, _)| *id)
            .take(most - keys.len())
            .collect();
        for scope in &keys {
            state.keys.remove(scope);
        }
        for id in &notifications {
            state.notifications.remove(id);
        }
        Ok((keys.len() + notifications.len()) as u64)
    }
}

impl State {
    fn is_old_key(&self, row: &KeyRow, old: &Old) -> bool {
        let operation = row.operation.and_then(|id| self.operations.get(&id));
        let is_open = operation.is_some_and(|found| found.operation.is_open());
        let answered = row.answer.as_ref().map(|(_, at)| *at);
        !is_open && answered.is_some_and(|at| at < old.keys_answered_before)
    }
}

fn is_old(stored: &StoredNotification, old: &Old) -> bool {
    use NotificationStatus as Is;
    let at = stored.new.received_at;
    match stored.status {
        Is::Handled | Is::Irrelevant | Is::Dismissed => at < old.notifications_before,
        Is::Unverified => at < old.unverified_before,
        Is::Waiting | Is::Mismatched | Is::Unmatched | Is::Malformed => false,
    }
}
