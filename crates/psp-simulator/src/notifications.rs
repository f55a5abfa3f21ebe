//! The word that goes to the caller: one notification for every final result, kept until delivered.

pub(crate) mod delivery;

use serde::Serialize;

use crate::clock;
use crate::engine::Unit;
use crate::entropy;
use crate::faults::dice::Purpose;
use crate::store::StoreError;
use crate::store::notifications::{self, NewNotification};
use crate::store::operations::Operation;
use crate::store::payments::{CardBody, Payment};
use crate::words::{Kind, Outcome, Reason};

/// `reorder_notifications` holds each back a random time up to this many milliseconds.
const LONGEST_REORDER: u64 = 1_000;

/// What a notification says, before it gets its id.
pub(crate) struct Fact {
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

impl Fact {
    /// How `operation` stands, told as a result of `kind` (a payment that captured at once can fail
    /// as a capture).
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

/// The notification as it is sent. The order of the members is that of the bytes that are signed.
#[derive(Serialize)]
struct Wire<'a> {
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

/// Puts the fact into the queue, as often and as late as the faults say. Payments that gave no
/// `notification_url` get none.
pub(crate) fn enqueue(
    unit: &mut Unit<'_>,
    payment: &Payment,
    fact: &Fact,
) -> Result<(), StoreError> {
    let Some(url) = payment.notification_url.clone() else {
        return Ok(());
    };
    let id = entropy::unguessable("ntf_")?;
    let body = serde_json::to_string(&Wire {
        id: &id,
        r#type: fact.kind,
        psp_reference: &fact.psp_reference,
        reference: &fact.reference,
        idempotency_key: &fact.idempotency_key,
        success: fact.success,
        amount: fact.amount,
        currency: &fact.currency,
        reason: fact.reason,
        card: fact.card.as_ref(),
        created_at: clock::rfc3339(unit.now),
    })?;
    let copies = unit.faults.settings.duplicate_notifications.unwrap_or(0) + 1;
    for _ in 0..copies {
        let held_for = hold(unit);
        let notification = NewNotification {
            notification_id: id.clone(),
            psp_reference: payment.psp_reference.clone(),
            url: url.clone(),
            body: body.clone(),
            tries: 0,
            next_try_at: unit.now.saturating_add(held_for),
            held: held_for > 0,
        };
        notifications::insert(unit.connection, &notification)?;
    }
    Ok(())
}

/// How long the faults hold the next notification back, in microseconds.
fn hold(unit: &Unit<'_>) -> i64 {
    let settings = &unit.faults.settings;
    let mut millis = settings.delay_notifications_ms.unwrap_or(0);
    if settings.reorder_notifications == Some(true) {
        let number = unit.faults.next_notification();
        millis += unit
            .faults
            .dice
            .between(Purpose::Reorder, number, 0, LONGEST_REORDER);
    }
    i64::try_from(millis)
        .unwrap_or(i64::MAX)
        .saturating_mul(1_000)
}
