//! Rows of the audit log.

use diesel::prelude::*;
use oncharge_domain::{
    audit::AuditEntry,
    id::{AuditId, MerchantId, OperationId, SessionId},
    time::Timestamp,
};

use crate::{Value, schema::audit_log};

#[derive(Insertable)]
#[diesel(table_name = audit_log, treat_none_as_default_value = false)]
pub struct AuditRow {
    id: Value<AuditId>,
    created_at: Value<Timestamp>,
    action: &'static str,
    merchant_id: Option<Value<MerchantId>>,
    session_id: Option<Value<SessionId>>,
    operation_id: Option<Value<OperationId>>,
    detail: String,
}

impl From<&AuditEntry> for AuditRow {
    fn from(entry: &AuditEntry) -> Self {
        Self {
            id: Value(entry.id),
            created_at: Value(entry.at),
            action: entry.action.name(),
            merchant_id: entry.merchant.map(Value),
            session_id: entry.session.map(Value),
            operation_id: entry.operation.map(Value),
            detail: entry.detail.clone(),
        }
    }
}
