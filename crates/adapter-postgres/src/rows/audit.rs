//! Rows of the audit log.

use diesel::prelude::*;
use oncharge_domain::{audit::AuditEntry, id::Id};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{rows::at, schema::audit_log};

#[derive(Insertable)]
#[diesel(table_name = audit_log, treat_none_as_default_value = false)]
pub(crate) struct AuditRow {
    id: Uuid,
    created_at: OffsetDateTime,
    action: &'static str,
    merchant_id: Option<Uuid>,
    session_id: Option<Uuid>,
    operation_id: Option<Uuid>,
    detail: String,
}

impl From<&AuditEntry> for AuditRow {
    fn from(entry: &AuditEntry) -> Self {
        Self {
            id: entry.id.uuid(),
            created_at: at(entry.at),
            action: entry.action.name(),
            merchant_id: entry.merchant.map(Id::uuid),
            session_id: entry.session.map(Id::uuid),
            operation_id: entry.operation.map(Id::uuid),
            detail: entry.detail.clone(),
        }
    }
}
