//! `Maintenance` of the in-memory store.

use async_trait::async_trait;
use oncharge_domain::{
    id::{EventId, NotificationId, OperationId, UnitId},
    merchant::{ApiKey, ApiKeyHash},
    operation::{Operation, OperationKind},
    psp::RefusalReason,
    time::Timestamp,
};
use oncharge_ports::{
    Maintenance, StoreError,
    inbox::NotificationStatus,
    maintenance::{DeletedRows, ExpiringRows, TimeRange},
    unit_of_work::IdempotencyScope,
};

use super::{
    MemoryStore,
    state::{DeliveryRow, KeyRow, NotificationRow, State},
};

/// Identifies a row that expires.
enum RowId {
    Unit(UnitId),
    Key(IdempotencyScope),
    Notification(NotificationId),
    Delivery(EventId),
    Operation(OperationId),
    ApiKey(ApiKeyHash),
}

#[async_trait]
impl Maintenance for MemoryStore {
    async fn ping(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// The in-memory store seals nothing.
    async fn reseal(&self) -> Result<u64, StoreError> {
        Ok(0)
    }

    async fn delete_expired(
        &self,
        rows: ExpiringRows,
        range: TimeRange,
        limit: u32,
    ) -> Result<DeletedRows, StoreError> {
        Ok(self.state().delete_expired(rows, range, limit as usize))
    }
}

impl State {
    fn delete_expired(
        &mut self,
        rows: ExpiringRows,
        range: TimeRange,
        limit: usize,
    ) -> DeletedRows {
        let mut expired = self.expired(rows);
        expired.retain(|(at, _)| range.from <= *at && *at < range.before);
        expired.sort_by_key(|(at, _)| *at);
        expired.truncate(limit);
        for (_, row) in &expired {
            self.delete(row);
        }
        DeletedRows::of(&expired.iter().map(|(at, _)| *at).collect::<Vec<_>>())
    }

    /// The rows of this kind that may be deleted, each with its timestamp.
    fn expired(&self, rows: ExpiringRows) -> Vec<(Timestamp, RowId)> {
        match rows {
            ExpiringRows::SessionChanges => {
                // A session's first version is not a change.
                let changes = self.units.iter().filter(|(_, (_, version))| *version > 1);
                changes
                    .map(|(id, _)| (id.made_at(), RowId::Unit(*id)))
                    .collect()
            }
            ExpiringRows::IdempotencyRecords => {
                let keys = self.keys.iter().filter(|(_, row)| !self.is_open(row));
                let answered = |(scope, row): (&IdempotencyScope, &KeyRow)| {
                    let (_, at) = row.response.as_ref()?;
                    Some((*at, RowId::Key(scope.clone())))
                };
                keys.filter_map(answered).collect()
            }
            ExpiringRows::HandledNotifications => self.notified(NotificationStatus::Handled),
            ExpiringRows::IrrelevantNotifications => self.notified(NotificationStatus::Irrelevant),
            ExpiringRows::DismissedNotifications => self.notified(NotificationStatus::Dismissed),
            ExpiringRows::UnverifiedNotifications => self.notified(NotificationStatus::Unverified),
            ExpiringRows::Deliveries => {
                let ended = |(id, row): (&EventId, &DeliveryRow)| {
                    row.ended_at.map(|at| (at, RowId::Delivery(*id)))
                };
                self.deliveries.iter().filter_map(ended).collect()
            }
            ExpiringRows::NeverSentOperations => {
                let operations = self.operations.iter();
                let operations = operations.filter(|(_, row)| self.is_never_sent(&row.operation));
                let operations = operations.map(|(id, _)| (id.made_at(), RowId::Operation(*id)));
                operations.collect()
            }
            ExpiringRows::ApiKeys => {
                let ended = |(hash, key): (&ApiKeyHash, &ApiKey)| {
                    key.ends_at.map(|at| (at, RowId::ApiKey(hash.clone())))
                };
                self.api_keys.iter().filter_map(ended).collect()
            }
        }
    }

    fn notified(&self, status: NotificationStatus) -> Vec<(Timestamp, RowId)> {
        let rows = self.notifications.iter();
        let rows = rows.filter(|(_, row)| row.stored.status == status);
        let at = |row: &NotificationRow| row.stored.new.received_at;
        rows.map(|(id, row)| (at(row), RowId::Notification(*id)))
            .collect()
    }

    fn delete(&mut self, row: &RowId) {
        match row {
            RowId::Unit(id) => drop(self.units.remove(id)),
            RowId::Key(scope) => drop(self.keys.remove(scope)),
            RowId::Notification(id) => drop(self.notifications.remove(id)),
            RowId::Delivery(id) => drop(self.deliveries.remove(id)),
            RowId::Operation(id) => drop(self.operations.remove(id)),
            RowId::ApiKey(hash) => drop(self.api_keys.remove(hash)),
        }
    }

    /// Whether the record's operation is open.
    fn is_open(&self, row: &KeyRow) -> bool {
        let operation = row.operation.and_then(|id| self.operations.get(&id));
        operation.is_some_and(|found| found.operation.is_open())
    }

    /// Whether the operation failed before it was sent, and nothing references it.
    fn is_never_sent(&self, operation: &Operation) -> bool {
        let is_of_session = matches!(
            operation.kind,
            OperationKind::Authorize { .. }
                | OperationKind::Capture { .. }
                | OperationKind::Cancel(_)
        );
        let waits = |row: &KeyRow| row.operation == Some(operation.id) && row.response.is_none();
        is_of_session
            && operation.failure == Some(RefusalReason::NeverSent)
            && !operation.compensated
            && operation.contradiction.is_none()
            && !self.keys.values().any(waits)
    }
}
