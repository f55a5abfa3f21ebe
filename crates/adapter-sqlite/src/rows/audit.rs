//! Rows of the audit log; append-only.

use diesel::prelude::*;
use oncharge_domain::audit::AuditEntry;

use super::id_bytes;
use crate::schema::audit_log;

/// A new entry; the database assigns its number.
#[derive(Insertable)]
#[diesel(table_name = audit_log, treat_none_as_default_value = false)]
pub(crate) struct AuditRow {
    id: Vec<u8>,
    created_at: i64,
    action: String,
    merchant_id: Option<Vec<u8>>,
    session_id: Option<Vec<u8>>,
    operation_id: Option<Vec<u8>>,
    detail: String,
}

impl AuditRow {
    pub(crate) fn of(entry: &AuditEntry) -> Self {
        Self {
            id: id_bytes(entry.id),
            created_at: entry.at.unix_micros(),
            action: entry.action.name().to_owned(),
            merchant_id: entry.merchant.map(id_bytes),
            session_id: entry.session.map(id_bytes),
            operation_id: entry.operation.map(id_bytes),
            detail: entry.detail.clone(),
        }
    }
}
