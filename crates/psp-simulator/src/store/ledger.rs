//! Rows of `ledger`: all movements of money, append-only.

use diesel::prelude::*;
use diesel::sqlite::Sqlite;

use super::schema::ledger;
use crate::codes::EntryKind;

/// One movement.
#[derive(Clone, Debug, Queryable, Selectable, Insertable)]
#[diesel(table_name = ledger, check_for_backend(Sqlite))]
pub(crate) struct Entry {
    pub(crate) reference: String,
    pub(crate) kind: EntryKind,
    /// In minor units; negative for a reversal.
    pub(crate) amount: i64,
    pub(crate) currency: String,
    pub(crate) psp_reference: String,
    pub(crate) idempotency_key: String,
    pub(crate) at: i64,
}

/// Adds a movement.
pub(crate) fn insert(connection: &mut SqliteConnection, entry: &Entry) -> QueryResult<()> {
    diesel::insert_into(ledger::table)
        .values(entry)
        .execute(connection)
        .map(drop)
}

/// All movements in order, or those of one reference.
pub(crate) fn list(
    connection: &mut SqliteConnection,
    reference: Option<&str>,
) -> QueryResult<Vec<Entry>> {
    let mut query = ledger::table
        .select(Entry::as_select())
        .order(ledger::id.asc())
        .into_boxed();
    if let Some(reference) = reference {
        query = query.filter(ledger::reference.eq(reference.to_owned()));
    }
    query.load(connection)
}
