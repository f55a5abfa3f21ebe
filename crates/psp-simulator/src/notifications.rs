//! Notifications to the caller: one for every final result, stored until delivered.

pub(crate) mod delivery;

use serde::Serialize;

use crate::clock;
use crate::codes::{Kind, Outcome, Reason};
use crate::entropy;
use crate::faults::rng::Purpose;
use crate::store::StoreError;
use crate::store::notifications::{self, NewNotification};
use crate::store::operations::Operation;
use crate::store::payments::{CardBody, Payment};
use crate::transaction::Transaction;

/// Maximum random delay by `reorder_notifications`, in milliseconds.
const MAX_REORDER_MILLIS: u64 = 1_000;

/// The content of a notification, before it gets its id.
pub(crate) struct NotificationContent {
    kind: &'static str,
    psp_reference: String,
    reference: String,
    idempotency_key: String,
    success: bool,
    amount: i64,
    currency: String,
    reason: Option<Reason>,
    card: Option<CardBody>,
}

impl NotificationContent {
    /// The result of `operation`, reported as one of `kind` (a payment with immediate capture can
    /// fail as a capture).
    pub(crate) fn of(payment: &Payment, operation: &Operation, kind: Kind) -> Self {
        Self {
            kind: kind.notification_type(),
            psp_reference: operation.psp_reference.clone(),
            reference: payment.reference.clone(),
            idempotency_key: operation.idempotency_key.clone(),
            success: operation.result != Outcome::Refused,
            amount: operation.amount,
            currency: operation.currency.clone(),
            reason: operation.reason,
            card: payment.card().filter(|_| operation.kind == Kind::Authorise),
        }
    }
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
    card: Option<&'a CardBody>,
    created_at: String,
}

/// Enqueues the notification, with the copies and delays that the faults require. Payments without
/// a `notification_url` get none.
pub(crate) fn enqueue(
    transaction: &mut Transaction<'_>,
    payment: &Payment,
    content: &NotificationContent,
) -> Result<(), StoreError> {
    let Some(url) = payment.notification_url.clone() else {
        return Ok(());
    };
    let id = entropy::random_id("ntf_")?;
    let body = serde_json::to_string(&NotificationBody {
        id: &id,
        r#type: content.kind,
        psp_reference: &content.psp_reference,
        reference: &content.reference,
        idempotency_key: &content.idempotency_key,
        success: content.success,
        amount: content.amount,
        currency: &content.currency,
        reason: content.reason,
        card: content.card.as_ref(),
        created_at: clock::rfc3339(transaction.now),
    })?;
    let copies = transaction
        .faults
        .settings
        .duplicate_notifications
        .unwrap_or(0)
        + 1;
    for _ in 0..copies {
        let delay = delay_micros(transaction);
        let notification = NewNotification {
            notification_id: id.clone(),
            psp_reference: payment.psp_reference.clone(),
            url: url.clone(),
            body: body.clone(),
            tries: 0,
            next_try_at: transaction.now.saturating_add(delay),
            held: delay > 0,
        };
        notifications::insert(transaction.connection, &notification)?;
    }
    Ok(())
}

/// The delay that the faults impose on the next notification, in microseconds.
fn delay_micros(transaction: &Transaction<'_>) -> i64 {
    let settings = &transaction.faults.settings;
    let mut millis = settings.delay_notifications_ms.unwrap_or(0);
    if settings.reorder_notifications == Some(true) {
        let number = transaction.faults.next_notification();
        millis += transaction
            .faults
            .rng
            .in_range(Purpose::Reorder, number, 0, MAX_REORDER_MILLIS);
    }
    i64::try_from(millis)
        .unwrap_or(i64::MAX)
        .saturating_mul(1_000)
}
