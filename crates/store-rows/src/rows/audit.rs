//! Rows of the audit log.

use diesel::prelude::*;
use oncharge_domain::{
    audit::AuditEntry,
    id::{AuditId, MerchantId, OperationId, SessionId},
    time::Timestamp,
};

use crate::{Bind, schema::audit_log};

#[derive(Insertable)]
#[diesel(table_name = audit_log, treat_none_as_default_value = false)]
pub struct AuditRow {
    id: Bind<AuditId>,
    created_at: Bind<Timestamp>,
    action: &'static str,
    merchant_id: Option<Bind<MerchantId>>,
    session_id: Option<Bind<SessionId>>,
    operation_id: Option<Bind<OperationId>>,
    detail: String,
}

impl From<&AuditEntry> for AuditRow {
    fn from(entry: &AuditEntry) -> Self {
        Self {
            id: Bind(entry.id),
            created_at: Bind(entry.at),
            action: entry.action.name(),
            merchant_id: entry.merchant.map(Bind),
            session_id: entry.session.map(Bind),
            operation_id: entry.operation.map(Bind),
            detail: entry.detail.clone(),
        }
    }
}
