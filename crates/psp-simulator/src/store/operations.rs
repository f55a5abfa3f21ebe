//! Rows of `operations`: all calls by idempotency key.

use diesel::prelude::*;
use diesel::sqlite::Sqlite;

use super::schema::operations;
use crate::codes::{Kind, Outcome, Reason};

/// A call with its response and its result.
#[derive(Clone, Debug, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = operations, check_for_backend(Sqlite))]
#[diesel(treat_none_as_default_value = false, treat_none_as_null = true)]
#[diesel(primary_key(idempotency_key))]
pub(crate) struct Operation {
    pub(crate) idempotency_key: String,
    pub(crate) kind: Kind,
    /// The reference of the call itself.
    pub(crate) psp_reference: String,
    /// The reference of the payment that it creates or modifies.
    pub(crate) payment_reference: String,
    pub(crate) fingerprint: String,
    pub(crate) amount: i64,
    pub(crate) currency: String,
    pub(crate) response: Outcome,
    pub(crate) response_reason: Option<Reason>,
    pub(crate) result: Outcome,
    pub(crate) reason: Option<Reason>,
    /// Refuse the call for this reason when it is executed.
    pub(crate) forced_reason: Option<Reason>,
    pub(crate) fail_late: bool,
    pub(crate) due_at: Option<i64>,
    pub(crate) late_at: Option<i64>,
    /// What the caller stored with the call, as a JSON object (Stripe face).
    pub(crate) metadata: Option<String>,
    pub(crate) created_at: i64,
}

/// Inserts a new call.
pub(crate) fn insert(connection: &mut SqliteConnection, operation: &Operation) -> QueryResult<()> {
    diesel::insert_into(operations::table)
        .values(operation)
        .execute(connection)
        .map(drop)
}

/// Updates a call.
pub(crate) fn update(connection: &mut SqliteConnection, operation: &Operation) -> QueryResult<()> {
    diesel::update(operations::table.find(&operation.idempotency_key))
        .set(operation)
        .execute(connection)
        .map(drop)
}

/// Finds a call by its idempotency key.
pub(crate) fn find(connection: &mut SqliteConnection, key: &str) -> QueryResult<Option<Operation>> {
    operations::table
        .find(key)
        .select(Operation::as_select())
        .first(connection)
        .optional()
}

/// Whether a capture or cancel of this payment, other than the call with the key `except`, is
/// accepted and not executed yet.
pub(crate) fn is_change_pending(
    connection: &mut SqliteConnection,
    payment_reference: &str,
    except: &str,
) -> QueryResult<bool> {
    diesel::select(diesel::dsl::exists(
        operations::table
            .filter(operations::payment_reference.eq(payment_reference))
            .filter(operations::kind.eq_any([Kind::Capture, Kind::Cancel]))
            .filter(operations::idempotency_key.ne(except))
            .filter(operations::due_at.is_not_null()),
    ))
    .get_result(connection)
}

/// The accepted call that is due first, if it is due by `now`. Calls due at the same instant come
/// in the order in which they were accepted.
pub(crate) fn next_due(
    connection: &mut SqliteConnection,
    now: i64,
) -> QueryResult<Option<Operation>> {
    operations::table
        .filter(operations::due_at.le(now))
        .order((operations::due_at.asc(), operations::created_at.asc()))
        .select(Operation::as_select())
        .first(connection)
        .optional()
}

/// The call to be reversed first, if that is due by `now`.
pub(crate) fn next_reversal(
    connection: &mut SqliteConnection,
    now: i64,
) -> QueryResult<Option<Operation>> {
    operations::table
        .filter(operations::late_at.le(now))
        .order((operations::late_at.asc(), operations::created_at.asc()))
        .select(Operation::as_select())
        .first(connection)
        .optional()
}

/// When work is due next, if ever.
pub(crate) fn next_wakeup(connection: &mut SqliteConnection) -> QueryResult<Option<i64>> {
    let due: Option<i64> = operations::table
        .filter(operations::due_at.is_not_null())
        .select(diesel::dsl::min(operations::due_at))
        .first(connection)?;
    let late: Option<i64> = operations::table
        .filter(operations::late_at.is_not_null())
        .select(diesel::dsl::min(operations::late_at))
        .first(connection)?;
    Ok(due.into_iter().chain(late).min())
}
