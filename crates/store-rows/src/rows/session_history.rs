//! Rows as the history of a session shows them.

use diesel::prelude::*;
use oncharge_domain::{
    id::{NotificationId, OperationId},
    time::Timestamp,
};
use oncharge_ports::{
    StoreError,
    operator_queries::{HistoryAuditEntry, HistoryNotification},
};

use crate::{
    row_reader::RowReader,
    schema::{audit_log, psp_notifications},
};

/// A notification without its body.
#[derive(Queryable, Selectable)]
#[diesel(table_name = psp_notifications)]
pub struct HistoryNotificationRow {
    id: NotificationId,
    connector: String,
    account: String,
    event_key: Option<String>,
    status: String,
    received_at: Timestamp,
    tries: i64,
}

impl TryFrom<HistoryNotificationRow> for HistoryNotification {
    type Error = StoreError;

    fn try_from(row: HistoryNotificationRow) -> Result<Self, StoreError> {
        let reader = RowReader::of("psp_notifications", row.id);
        Ok(Self {
            id: row.id,
            account: reader.account(&row.connector, &row.account)?,
            event_key: row.event_key,
            status: reader.require("status", row.status.parse().ok())?,
            received_at: row.received_at,
            tries: reader.count("tries", row.tries)?,
        })
    }
}

/// A row of the audit log.
#[derive(Queryable, Selectable)]
#[diesel(table_name = audit_log)]
pub struct HistoryAuditRow {
    created_at: Timestamp,
    action: String,
    operation_id: Option<OperationId>,
    detail: String,
}

impl From<HistoryAuditRow> for HistoryAuditEntry {
    fn from(row: HistoryAuditRow) -> Self {
        Self {
            at: row.created_at,
            action: row.action,
            operation: row.operation_id,
            detail: row.detail,
        }
    }
}
