//! Events: what the account's webhook endpoint is sent about a result.

use serde_json::{Value, json};

use super::account::Account;
use super::objects::{Expand, charge, payment_intent, refund, seconds};
use super::view::{IntentStatus, IntentView};
use crate::codes::{Face, Kind, Outcome, Reason};
use crate::entropy;
use crate::notifications::queue::{self, Message};
use crate::store::StoreError;
use crate::store::operations::Operation;
use crate::store::payments::Payment;
use crate::transaction::Transaction;

/// The API version of events, and of responses to requests that name none.
pub(super) const API_VERSION: &str = "2024-10-28.acacia";

/// Enqueues the events of a call's final result. There is none for a modification that is refused in
/// its response, and one for a cancel that also ends a challenge.
pub(crate) fn enqueue_result(
    transaction: &mut Transaction<'_>,
    payment: &Payment,
    operation: &Operation,
    in_response: bool,
) -> Result<(), StoreError> {
    let is_refused = operation.result == Outcome::Refused;
    match operation.kind {
        Kind::Authorise if is_refused && operation.reason == Some(Reason::Cancelled) => Ok(()),
        Kind::Capture | Kind::Cancel | Kind::Refund if is_refused && in_response => Ok(()),
        Kind::Refund => enqueue_refund(transaction, payment, operation),
        Kind::Authorise | Kind::Capture | Kind::Cancel => {
            enqueue_intent(transaction, payment, operation)
        }
    }
}

/// Enqueues `payment_intent.requires_action`.
pub(crate) fn enqueue_challenge(
    transaction: &mut Transaction<'_>,
    payment: &Payment,
    operation: &Operation,
) -> Result<(), StoreError> {
    enqueue_intent(transaction, payment, operation)
}

/// Enqueues `payment_intent.canceled` for an intent that has no open payment.
pub(super) fn enqueue_canceled(
    transaction: &mut Transaction<'_>,
    view: &IntentView,
    key: &str,
) -> Result<(), StoreError> {
    let Some(account) = transaction.stripe.clone() else {
        return Ok(());
    };
    let object = payment_intent(&account, view, Expand::default());
    let event = Event {
        subject: &view.intent.intent_id,
        key,
        kind: "payment_intent.canceled",
        object,
    };
    enqueue(transaction, &account, &event)
}

fn enqueue_intent(
    transaction: &mut Transaction<'_>,
    payment: &Payment,
    operation: &Operation,
) -> Result<(), StoreError> {
    let Some(account) = transaction.stripe.clone() else {
        return Ok(());
    };
    let view = IntentView::during(transaction.connection, payment, operation)?;
    let kind = match view.status() {
        IntentStatus::RequiresAction => "payment_intent.requires_action",
        IntentStatus::RequiresCapture => "payment_intent.amount_capturable_updated",
        IntentStatus::Succeeded => "payment_intent.succeeded",
        IntentStatus::Canceled => "payment_intent.canceled",
        IntentStatus::RequiresPaymentMethod => "payment_intent.payment_failed",
        IntentStatus::Processing => "payment_intent.processing",
        // A cancel of an authenticated intent was refused: nothing has changed.
        IntentStatus::RequiresConfirmation => return Ok(()),
    };
    let event = Event {
        subject: &payment.psp_reference,
        key: &operation.idempotency_key,
        kind,
        object: payment_intent(&account, &view, Expand::default()),
    };
    enqueue(transaction, &account, &event)
}

fn enqueue_refund(
    transaction: &mut Transaction<'_>,
    payment: &Payment,
    operation: &Operation,
) -> Result<(), StoreError> {
    let Some(account) = transaction.stripe.clone() else {
        return Ok(());
    };
    let event = |kind, object| Event {
        subject: &payment.psp_reference,
        key: &operation.idempotency_key,
        kind,
        object,
    };
    let object = refund(payment, operation);
    if operation.result == Outcome::Refused {
        return enqueue(transaction, &account, &event("refund.failed", object));
    }
    let view = IntentView::during(transaction.connection, payment, operation)?;
    if let Some(charge) = charge(&view) {
        enqueue(transaction, &account, &event("charge.refunded", charge))?;
    }
    enqueue(transaction, &account, &event("refund.updated", object))
}

struct Event<'a> {
    /// Events about the same subject are sent one at a time.
    subject: &'a str,
    /// The key of the call that caused it.
    key: &'a str,
    kind: &'static str,
    object: Value,
}

fn enqueue(
    transaction: &mut Transaction<'_>,
    account: &Account,
    event: &Event<'_>,
) -> Result<(), StoreError> {
    let Some(url) = account.webhook_url.as_deref() else {
        return Ok(());
    };
    let id = entropy::hex_id("evt_")?;
    let body = json!({
        "id": id,
        "object": "event",
        "api_version": API_VERSION,
        "created": seconds(transaction.now),
        "data": { "object": event.object },
        "livemode": false,
        "pending_webhooks": 1,
        "request": { "id": null, "idempotency_key": event.key },
        "type": event.kind,
    });
    let message = Message {
        id: &id,
        face: Face::Stripe,
        psp_reference: event.subject,
        url,
        body: &body.to_string(),
    };
    queue::enqueue(transaction, &message)
}
