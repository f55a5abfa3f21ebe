//! Rows of `stripe_confirmation_tokens`.

use diesel::prelude::*;
use diesel::sqlite::Sqlite;

use crate::store::schema::stripe_confirmation_tokens as table;

/// A confirmation token: a payment method, for one confirmation.
#[derive(Clone, Debug, Queryable, Selectable, Insertable)]
#[diesel(table_name = table, check_for_backend(Sqlite))]
#[diesel(treat_none_as_default_value = false)]
pub(crate) struct ConfirmationToken {
    /// The token itself, `ctoken_…`.
    #[diesel(column_name = token)]
    pub(crate) id: String,
    pub(crate) payment_method: String,
    pub(crate) return_url: Option<String>,
    /// The payment intent that it was used for.
    pub(crate) intent_id: Option<String>,
    pub(crate) created_at: i64,
}

/// Inserts a new token.
pub(crate) fn insert(
    connection: &mut SqliteConnection,
    token: &ConfirmationToken,
) -> QueryResult<()> {
    diesel::insert_into(table::table)
        .values(token)
        .execute(connection)
        .map(drop)
}

/// Finds a token.
pub(crate) fn find(
    connection: &mut SqliteConnection,
    token: &str,
) -> QueryResult<Option<ConfirmationToken>> {
    table::table
        .find(token)
        .select(ConfirmationToken::as_select())
        .first(connection)
        .optional()
}

/// Marks a token as used for a payment intent.
pub(crate) fn spend(
    connection: &mut SqliteConnection,
    token: &str,
    intent_id: &str,
) -> QueryResult<()> {
    diesel::update(table::table.find(token))
        .set(table::intent_id.eq(intent_id))
        .execute(connection)
        .map(drop)
}
