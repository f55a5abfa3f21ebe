//! Writes the audit log.

use diesel::prelude::*;
use oncharge_ports::CommitError;
use oncharge_store_rows::{rows::audit::AuditRow, schema::audit_log};

use crate::error;

/// Writes entries inside the caller's transaction.
pub(crate) fn write(
    connection: &mut SqliteConnection,
    entries: impl IntoIterator<Item = AuditRow>,
) -> Result<(), CommitError> {
    for entry in entries {
        let insert = entry.insert_into(audit_log::table);
        insert.execute(connection).map_err(error::commit)?;
    }
    Ok(())
}
