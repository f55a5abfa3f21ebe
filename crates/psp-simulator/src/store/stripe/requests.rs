//! Rows of `stripe_requests`: the response to every executed request with an idempotency key.

use diesel::prelude::*;
use diesel::sqlite::Sqlite;

use crate::store::schema::stripe_requests as table;

/// An executed request with its response.
#[derive(Clone, Debug, Queryable, Selectable, Insertable)]
#[diesel(table_name = table, check_for_backend(Sqlite))]
pub(crate) struct RecordedRequest {
    pub(crate) idempotency_key: String,
    pub(crate) fingerprint: String,
    pub(crate) request_id: String,
    pub(crate) status: i32,
    pub(crate) body: String,
    pub(crate) created_at: i64,
}

/// Records a request.
pub(crate) fn insert(
    connection: &mut SqliteConnection,
    request: &RecordedRequest,
) -> QueryResult<()> {
    diesel::insert_into(table::table)
        .values(request)
        .execute(connection)
        .map(drop)
}

/// Finds the request that was executed with this key.
pub(crate) fn find(
    connection: &mut SqliteConnection,
    key: &str,
) -> QueryResult<Option<RecordedRequest>> {
    table::table
        .find(key)
        .select(RecordedRequest::as_select())
        .first(connection)
        .optional()
}
