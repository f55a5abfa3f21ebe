//! The one row of `faults`: the settings as they were put, so that they outlive the process.

use diesel::prelude::*;

use super::schema::faults;

/// The settings in force, as JSON text.
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
