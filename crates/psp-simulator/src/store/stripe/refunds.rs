//! The refunds of the Stripe face: the accepted refund calls of payment intents' payments.

use diesel::prelude::*;

use crate::codes::{Kind, Outcome};
use crate::store::operations::Operation;
use crate::store::payments::Payment;
use crate::store::schema::{operations, payments};

/// Which refunds to list: the newest `limit` that match, newest first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    pub(crate) intent_id: Option<String>,
    /// The payment's reference.
    pub(crate) payment_reference: Option<String>,
    /// The reference of the refund call.
    pub(crate) refund_reference: Option<String>,
    /// List those created before this one.
    pub(crate) before: Option<Operation>,
    /// Created at or after this instant.
    pub(crate) from: Option<i64>,
    /// Created before this instant.
    pub(crate) until: Option<i64>,
    pub(crate) limit: i64,
}

/// The refunds that match, newest first, each with its payment. A call that was refused at once
/// created no refund.
pub(crate) fn list(
    connection: &mut SqliteConnection,
    filter: &Filter,
) -> QueryResult<Vec<(Operation, Payment)>> {
    let mut query = operations::table
        .inner_join(payments::table.on(payments::psp_reference.eq(operations::payment_reference)))
        .filter(operations::kind.eq(Kind::Refund))
        .filter(operations::response.ne(Outcome::Refused))
        .filter(payments::intent_id.is_not_null())
        .select((Operation::as_select(), Payment::as_select()))
        .order((
            operations::created_at.desc(),
            operations::psp_reference.desc(),
        ))
        .limit(filter.limit)
        .into_boxed();
    if let Some(intent_id) = &filter.intent_id {
        query = query.filter(payments::intent_id.eq(intent_id));
    }
    if let Some(reference) = &filter.payment_reference {
        query = query.filter(payments::psp_reference.eq(reference));
    }
    if let Some(reference) = &filter.refund_reference {
        query = query.filter(operations::psp_reference.eq(reference));
    }
    if let Some(before) = &filter.before {
        query = query.filter(
            operations::created_at
                .lt(before.created_at)
                .or(operations::created_at
                    .eq(before.created_at)
                    .and(operations::psp_reference.lt(&before.psp_reference))),
        );
    }
    if let Some(from) = filter.from {
        query = query.filter(operations::created_at.ge(from));
    }
    if let Some(until) = filter.until {
        query = query.filter(operations::created_at.lt(until));
    }
    query.load(connection)
}
