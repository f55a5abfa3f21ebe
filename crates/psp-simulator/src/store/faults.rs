//! The single row of `faults`: the persistent fault settings.

use diesel::prelude::*;

use super::schema::faults;

/// The stored settings, as JSON text.
pub(crate) fn load(connection: &mut SqliteConnection) -> QueryResult<Option<String>> {
    faults::table
        .find(1)
        .select(faults::settings)
        .first(connection)
        .optional()
}

/// Replaces the settings.
pub(crate) fn save(connection: &mut SqliteConnection, settings: &str) -> QueryResult<()> {
    diesel::replace_into(faults::table)
        .values((faults::id.eq(1), faults::settings.eq(settings)))
        .execute(connection)
        .map(drop)
}
