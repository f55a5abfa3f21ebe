//! Rows of `stripe_payment_intents`.

use diesel::prelude::*;
use diesel::sqlite::Sqlite;

use crate::store::schema::stripe_payment_intents as table;

/// A payment intent, without its payment.
#[derive(Clone, Debug, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = table, check_for_backend(Sqlite))]
#[diesel(treat_none_as_default_value = false, treat_none_as_null = true)]
#[diesel(primary_key(intent_id))]
pub(crate) struct PaymentIntent {
    pub(crate) intent_id: String,
    pub(crate) client_secret: String,
    pub(crate) amount: i64,
    /// Three lower-case letters.
    pub(crate) currency: String,
    pub(crate) capture_method: String,
    pub(crate) confirmation_method: String,
    /// JSON list.
    pub(crate) payment_method_types: String,
    /// The payment method given last.
    pub(crate) payment_method: Option<String>,
    pub(crate) description: Option<String>,
    /// JSON object of texts.
    pub(crate) metadata: String,
    pub(crate) return_url: Option<String>,
    pub(crate) use_stripe_sdk: bool,
    /// The payment of the latest attempt.
    pub(crate) payment_reference: Option<String>,
    pub(crate) cancellation_reason: Option<String>,
    /// When it was cancelled without an open payment; otherwise its payment has the status.
    pub(crate) canceled_at: Option<i64>,
    pub(crate) created_at: i64,
}

/// Which payment intents to list: the newest `limit` that match, newest first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    /// List those created before this one.
    pub(crate) starting_after: Option<String>,
    /// Created at or after this instant.
    pub(crate) from: Option<i64>,
    /// Created before this instant.
    pub(crate) until: Option<i64>,
    pub(crate) limit: i64,
}

/// Inserts a new payment intent.
pub(crate) fn insert(connection: &mut SqliteConnection, intent: &PaymentIntent) -> QueryResult<()> {
    diesel::insert_into(table::table)
        .values(intent)
        .execute(connection)
        .map(drop)
}

/// Updates a payment intent.
pub(crate) fn update(connection: &mut SqliteConnection, intent: &PaymentIntent) -> QueryResult<()> {
    diesel::update(table::table.filter(table::intent_id.eq(&intent.intent_id)))
        .set(intent)
        .execute(connection)
        .map(drop)
}

/// Finds a payment intent by its id.
pub(crate) fn find(
    connection: &mut SqliteConnection,
    intent_id: &str,
) -> QueryResult<Option<PaymentIntent>> {
    table::table
        .filter(table::intent_id.eq(intent_id))
        .select(PaymentIntent::as_select())
        .first(connection)
        .optional()
}

/// The payment intents that match, newest first.
pub(crate) fn list(
    connection: &mut SqliteConnection,
    filter: &Filter,
) -> QueryResult<Vec<PaymentIntent>> {
    let mut query = table::table
        .select(PaymentIntent::as_select())
        .order(table::seq.desc())
        .limit(filter.limit)
        .into_boxed();
    if let Some(intent_id) = &filter.starting_after {
        let seq: Option<i64> = table::table
            .filter(table::intent_id.eq(intent_id))
            .select(table::seq)
            .first(connection)
            .optional()?;
        query = query.filter(table::seq.lt(seq.unwrap_or(0)));
    }
    if let Some(from) = filter.from {
        query = query.filter(table::created_at.ge(from));
    }
    if let Some(until) = filter.until {
        query = query.filter(table::created_at.lt(until));
    }
    query.load(connection)
}
