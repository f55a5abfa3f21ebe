//! Rows of `payments`.

use diesel::prelude::*;
use diesel::sqlite::Sqlite;
use serde::Serialize;

use super::schema::payments;
use crate::codes::{Behavior, Status};

/// A payment with its held, captured and refunded amounts.
#[derive(Clone, Debug, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = payments, check_for_backend(Sqlite))]
#[diesel(treat_none_as_default_value = false, treat_none_as_null = true)]
#[diesel(primary_key(psp_reference))]
pub(crate) struct Payment {
    pub(crate) psp_reference: String,
    pub(crate) idempotency_key: String,
    pub(crate) reference: String,
    pub(crate) amount: i64,
    pub(crate) currency: String,
    pub(crate) capture: bool,
    pub(crate) notification_url: Option<String>,
    pub(crate) behavior: Behavior,
    pub(crate) brand: Option<String>,
    pub(crate) last4: Option<String>,
    pub(crate) status: Status,
    pub(crate) captured: i64,
    pub(crate) refunded: i64,
    pub(crate) challenge_id: Option<String>,
    /// The payment intent that this payment is an attempt of (Stripe face).
    pub(crate) intent_id: Option<String>,
    /// Whether a passed challenge waits for another call before the payment is authorized.
    pub(crate) confirm_after_challenge: bool,
    pub(crate) created_at: i64,
    /// When the status or an amount changed last.
    pub(crate) updated_at: i64,
}

/// The card of a payment in its wire format.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct CardBody {
    brand: String,
    last4: String,
}

impl Payment {
    /// The payment's card; `None` if the token was unknown.
    pub(crate) fn card(&self) -> Option<CardBody> {
        Some(CardBody {
            brand: self.brand.clone()?,
            last4: self.last4.clone()?,
        })
    }
}

/// Inserts a new payment.
pub(crate) fn insert(connection: &mut SqliteConnection, payment: &Payment) -> QueryResult<()> {
    diesel::insert_into(payments::table)
        .values(payment)
        .execute(connection)
        .map(drop)
}

/// Updates a payment.
pub(crate) fn update(connection: &mut SqliteConnection, payment: &Payment) -> QueryResult<()> {
    diesel::update(payments::table.find(&payment.psp_reference))
        .set(payment)
        .execute(connection)
        .map(drop)
}

/// Finds a payment by its PSP reference.
pub(crate) fn find(
    connection: &mut SqliteConnection,
    psp_reference: &str,
) -> QueryResult<Option<Payment>> {
    payments::table
        .find(psp_reference)
        .select(Payment::as_select())
        .first(connection)
        .optional()
}

/// Finds a payment by its challenge.
pub(crate) fn find_by_challenge(
    connection: &mut SqliteConnection,
    challenge_id: &str,
) -> QueryResult<Option<Payment>> {
    payments::table
        .filter(payments::challenge_id.eq(challenge_id))
        .select(Payment::as_select())
        .first(connection)
        .optional()
}
