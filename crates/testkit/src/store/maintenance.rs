//! The store in memory as `Maintenance`.

use async_trait::async_trait;
use oncharge_domain::{
    id::{OperationId, UnitId},
    operation::{Operation, OperationKind},
    psp::RefusalReason,
};
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
    async fn reseal(&self) -> Result<u64, StoreError> {
        Ok(0)
    }

    async fn clean_up(&self, old: &Old, limit: u32) -> Result<u64, StoreError> {
        Ok(self.state().clean_up(old, limit as usize))
    }
}

impl State {
    fn clean_up(&mut self, old: &Old, limit: usize) -> u64 {
        let keys = old_ones(&self.keys, limit, |_, row| self.is_old_key(row, old));
        for key in &keys {
            self.keys.remove(key);
        }
        let mut deleted = keys.len();

        // A session's first version is no change of it.
        let units = old_ones(&self.units, limit - deleted, |id, (_, version)| {
            *version > 1 && *id < UnitId::first_at(old.units_before)
        });
        for id in &units {
            self.units.remove(id);
        }
        deleted += units.len();

        let notifications = old_ones(&self.notifications, limit - deleted, |_, row| {
            is_old(&row.stored, old)
        });
        for id in &notifications {
            self.notifications.remove(id);
        }
        deleted += notifications.len();

        let deliveries = old_ones(&self.deliveries, limit - deleted, |_, row| {
            row.ended_at
                .is_some_and(|at| at < old.deliveries_ended_before)
        });
        for event in &deliveries {
            self.deliveries.remove(event);
        }
        deleted += deliveries.len();

        let operations = old_ones(&self.operations, limit - deleted, |id, row| {
            *id < OperationId::first_at(old.never_sent_before) && self.is_never_sent(&row.operation)
        });
        for id in &operations {
            self.operations.remove(id);
        }
        (deleted + operations.len()) as u64
    }

    fn is_old_key(&self, row: &KeyRow, old: &Old) -> bool {
        let operation = row.operation.and_then(|id| self.operations.get(&id));
        let is_open = operation.is_some_and(|found| found.operation.is_open());
        let answered = row.answer.as_ref().map(|(_, at)| *at);
        !is_open && answered.is_some_and(|at| at < old.keys_answered_before)
    }

    /// Whether it failed before it was sent, and nothing names it.
    fn is_never_sent(&self, operation: &Operation) -> bool {
        let is_of_session = matches!(
            operation.kind,
            OperationKind::Authorize { .. }
                | OperationKind::Capture { .. }
                | OperationKind::Cancel(_)
        );
        let waits = |row: &KeyRow| row.operation == Some(operation.id) && row.answer.is_none();
        is_of_session
            && operation.failure == Some(RefusalReason::NeverSent)
            && !operation.compensated
            && operation.contradiction.is_none()
            && !self.keys.values().any(waits)
    }
}

/// The keys of the first entries, at most so many, that are old.
fn old_ones<'a, K: Clone + 'a, V: 'a>(
    entries: impl IntoIterator<Item = (&'a K, &'a V)>,
    limit: usize,
    is_old: impl Fn(&K, &V) -> bool,
) -> Vec<K> {
    let old = entries
        .into_iter()
        .filter(|(key, value)| is_old(key, value));
    old.map(|(key, _)| key.clone()).take(limit).collect()
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
