//! Rows as the history of a session shows them.

use diesel::prelude::*;
use oncharge_domain::{
    id::{AuditId, NotificationId, OperationId},
    operation::Operation,
    time::Timestamp,
    webhook::{Delivery, DeliveryAttempt},
};
use oncharge_ports::{
    StoreError,
    operator_queries::{HistoryAuditEntry, HistoryDelivery, HistoryNotification, HistoryOperation},
};

use crate::{
    ColumnValue,
    row_reader::RowReader,
    rows::{delivery::DeliveryRow, operation::OperationRow},
    schema::{audit_log, deliveries, operations, psp_notifications},
};

/// An operation with its place in the queue.
#[derive(Queryable, Selectable)]
#[diesel(table_name = operations)]
pub struct HistoryOperationRow {
    #[diesel(embed)]
    operation: OperationRow,
    tries: i64,
    next_try_at: Option<ColumnValue<Timestamp>>,
}

impl TryFrom<HistoryOperationRow> for HistoryOperation {
    type Error = StoreError;

    fn try_from(row: HistoryOperationRow) -> Result<Self, StoreError> {
        let operation = Operation::try_from(row.operation)?;
        let reader = RowReader::of("operations", operation.id);
        Ok(Self {
            operation,
            tries: reader.count("tries", row.tries)?,
            next_try_at: reader.optional("next_try_at", row.next_try_at)?,
        })
    }
}

/// A delivery with its place in the queue.
#[derive(Queryable, Selectable)]
#[diesel(table_name = deliveries)]
pub struct HistoryDeliveryRow {
    #[diesel(embed)]
    delivery: DeliveryRow,
    next_try_at: Option<ColumnValue<Timestamp>>,
}

impl HistoryDeliveryRow {
    /// The delivery with its attempts, which are stored in rows of their own.
    pub fn with_attempts(
        self,
        attempts: Vec<DeliveryAttempt>,
    ) -> Result<HistoryDelivery, StoreError> {
        let delivery = Delivery::try_from(self.delivery)?;
        let reader = RowReader::of("deliveries", delivery.event);
        Ok(HistoryDelivery {
            delivery,
            next_try_at: reader.optional("next_try_at", self.next_try_at)?,
            attempts,
        })
    }
}

/// A notification without its body.
#[derive(Queryable, Selectable)]
#[diesel(table_name = psp_notifications)]
pub struct HistoryNotificationRow {
    id: ColumnValue<NotificationId>,
    connector: String,
    account: String,
    event_key: Option<String>,
    status: String,
    received_at: ColumnValue<Timestamp>,
    tries: i64,
}

impl TryFrom<HistoryNotificationRow> for HistoryNotification {
    type Error = StoreError;

    fn try_from(row: HistoryNotificationRow) -> Result<Self, StoreError> {
        let reader = RowReader::with_id("psp_notifications", "id", row.id)?;
        Ok(Self {
            id: reader.id(),
            account: reader.account(&row.connector, &row.account)?,
            event_key: row.event_key,
            status: reader.require("status", row.status.parse().ok())?,
            received_at: reader.value("received_at", row.received_at)?,
            tries: reader.count("tries", row.tries)?,
        })
    }
}

/// A row of the audit log.
#[derive(Queryable, Selectable)]
#[diesel(table_name = audit_log)]
pub struct HistoryAuditRow {
    id: ColumnValue<AuditId>,
    created_at: ColumnValue<Timestamp>,
    action: String,
    operation_id: Option<ColumnValue<OperationId>>,
    detail: String,
}

impl TryFrom<HistoryAuditRow> for HistoryAuditEntry {
    type Error = StoreError;

    fn try_from(row: HistoryAuditRow) -> Result<Self, StoreError> {
        let reader = RowReader::with_id("audit_log", "id", row.id)?;
        Ok(Self {
            at: reader.value("created_at", row.created_at)?,
            action: row.action,
            operation: reader.optional("operation_id", row.operation_id)?,
            detail: row.detail,
        })
    }
}
