//! Rows of `tokens`: entered cards, reduced to what may be stored.

use diesel::prelude::*;
use diesel::sqlite::Sqlite;

use super::schema::tokens;
use crate::codes::Behavior;

/// A one-time payment-method token.
#[derive(Clone, Debug, Queryable, Selectable, Insertable)]
#[diesel(table_name = tokens, check_for_backend(Sqlite), treat_none_as_default_value = false)]
pub(crate) struct Token {
    /// The token itself, `tok_…`.
    #[diesel(column_name = token)]
    pub(crate) id: String,
    pub(crate) brand: String,
    pub(crate) last4: String,
    pub(crate) behavior: Behavior,
    /// The month of the expiry; kept only for payment methods (Stripe face).
    pub(crate) exp_month: Option<i32>,
    pub(crate) exp_year: Option<i32>,
    pub(crate) created_at: i64,
    /// The key of the payment call that spent it.
    pub(crate) used_by: Option<String>,
}

/// Inserts a new token.
pub(crate) fn insert(connection: &mut SqliteConnection, token: &Token) -> QueryResult<()> {
    diesel::insert_into(tokens::table)
        .values(token)
        .execute(connection)
        .map(drop)
}

/// Finds a token.
pub(crate) fn find(connection: &mut SqliteConnection, token: &str) -> QueryResult<Option<Token>> {
    tokens::table
        .find(token)
        .select(Token::as_select())
        .first(connection)
        .optional()
}

/// Marks a token as spent on the payment call with this key.
pub(crate) fn spend(connection: &mut SqliteConnection, token: &str, key: &str) -> QueryResult<()> {
    diesel::update(tokens::table.find(token))
        .set(tokens::used_by.eq(key))
        .execute(connection)
        .map(drop)
}
