//! Notifications to the caller: one for every final result, stored until delivered.

pub(crate) mod delivery;
pub(crate) mod queue;

use serde::Serialize;

use crate::clock;
use crate::codes::{Face, Kind, Outcome, Reason};
use crate::entropy;
use crate::store::StoreError;
use crate::store::operations::Operation;
use crate::store::payments::{CardBody, Payment};
use crate::stripe::events;
use crate::transaction::Transaction;
use queue::Message;

/// The final result of a call.
pub(crate) struct Report<'a> {
    pub(crate) payment: &'a Payment,
    pub(crate) operation: &'a Operation,
    /// The kind to report it as: a payment with immediate capture can fail as a capture.
    pub(crate) kind: Kind,
    /// Whether the response to the call itself has this result.
    pub(crate) in_response: bool,
}

/// The wire format of a notification. The signed bytes have the members in this order.
#[derive(Serialize)]
struct NotificationBody<'a> {
    id: &'a str,
    r#type: &'a str,
    psp_reference: &'a str,
    reference: &'a str,
    idempotency_key: &'a str,
    success: bool,
    amount: i64,
    currency: &'a str,
    reason: Option<Reason>,
    #[serde(skip_serializing_if = "Option::is_none")]
    card: Option<CardBody>,
    created_at: String,
}

/// Enqueues what the payment's face sends for a result. A payment of the simulator's own API without
/// a `notification_url` gets nothing.
pub(crate) fn enqueue(
    transaction: &mut Transaction<'_>,
    report: &Report<'_>,
) -> Result<(), StoreError> {
    let (payment, operation) = (report.payment, report.operation);
    if payment.intent_id.is_some() {
        return events::enqueue_result(transaction, payment, operation, report.in_response);
    }
    let Some(url) = payment.notification_url.as_deref() else {
        return Ok(());
    };
    let id = entropy::random_id("ntf_")?;
    let body = serde_json::to_string(&NotificationBody {
        id: &id,
        r#type: report.kind.notification_type(),
        psp_reference: &operation.psp_reference,
        reference: &payment.reference,
        idempotency_key: &operation.idempotency_key,
        success: operation.result != Outcome::Refused,
        amount: operation.amount,
        currency: &operation.currency,
        reason: operation.reason,
        card: payment.card().filter(|_| operation.kind == Kind::Authorise),
        created_at: clock::rfc3339(transaction.now),
    })?;
    let message = Message {
        id: &id,
        face: Face::Own,
        psp_reference: &payment.psp_reference,
        url,
        body: &body,
    };
    queue::enqueue(transaction, &message)
}

/// Enqueues what the payment's face sends when a challenge is opened: the simulator's own API
/// nothing, because it is not a result.
pub(crate) fn enqueue_challenge(
    transaction: &mut Transaction<'_>,
    payment: &Payment,
    operation: &Operation,
) -> Result<(), StoreError> {
    if payment.intent_id.is_none() {
        return Ok(());
    }
    events::enqueue_challenge(transaction, payment, operation)
}
