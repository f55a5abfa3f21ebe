//! Writes the audit log.

use diesel::prelude::*;
use oncharge_domain::audit::AuditEntry;
use oncharge_store_rows::{rows::audit::AuditRow, schema::audit_log};

use crate::batch::Batch;

/// Adds an entry to the batch.
pub(crate) fn write<'a, P: Send + 'a>(batch: &mut Batch<'a, P>, entry: &AuditEntry) {
    batch.add(AuditRow::from(entry).insert_into(audit_log::table));
}
