//! Rows as the history of a session shows them.

use diesel::prelude::*;
use oncharge_domain::{
    id::{AuditId, NotificationId, OperationId},
    time::Timestamp,
};
use oncharge_ports::{
    StoreError,
    operator_queries::{HistoryAuditEntry, HistoryNotification},
};

use crate::{
    ColumnValue,
    row_reader::RowReader,
    schema::{audit_log, psp_notifications},
};

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
