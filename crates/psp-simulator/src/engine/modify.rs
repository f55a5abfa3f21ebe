//! Captures, cancels and refunds of a payment.

use super::{Answer, LATE_DELAY, Unit, WORK_DELAY, pay, remembered};
use crate::decide;
use crate::entropy;
use crate::store::StoreError;
use crate::store::operations::{self, Operation};
use crate::store::payments::{self, Payment};
use crate::words::{Kind, Outcome, Reason, Status};

/// A modification as the caller asked for it.
#[derive(Clone, Debug)]
pub(crate) struct ModifyCall {
    pub(crate) key: String,
    pub(crate) fingerprint: String,
    pub(crate) kind: Kind,
    pub(crate) psp_reference: String,
    /// Minor units; `None` for a cancel, which always ends the whole payment.
    pub(crate) amount: Option<i64>,
}

/// Carries the call out, or only accepts it (asynchronous mode), or repeats what it was answered.
pub(crate) fn modify(unit: &mut Unit<'_>, call: ModifyCall) -> Result<Answer, StoreError> {
    if let Some(answer) = remembered(unit.connection, &call.key, &call.fingerprint)? {
        return Ok(answer);
    }
    let Some(mut payment) = payments::find(unit.connection, &call.psp_reference)? else {
        return Ok(Answer::UnknownPayment);
    };
    let mut operation = new_operation(unit, call, &payment)?;
    if operation.due_at.is_none() {
        carry_out(unit, &mut payment, &mut operation)?;
        payments::update(unit.connection, &payment)?;
    }
    operation.answer = operation.result;
    operation.answer_reason = operation.reason;
    operations::insert(unit.connection, &operation)?;
    let payment = Box::new(payment);
    Ok(Answer::Operation { operation, payment })
}

/// Does the work of a modification. The caller saves payment and call.
pub(super) fn carry_out(
    unit: &mut Unit<'_>,
    payment: &mut Payment,
    operation: &mut Operation,
) -> Result<(), StoreError> {
    let decision = match (operation.forced_reason, operation.kind) {
        (Some(reason), _) => Err(reason),
        (None, Kind::Capture) => decide::capture(payment, operation.amount),
        (None, Kind::Cancel) => decide::cancel(payment),
        (None, Kind::Refund) => decide::refund(payment, operation.amount),
        (None, Kind::Authorise) => Err(Reason::WrongState),
    };
    match decision {
        Err(reason) => unit.conclude(payment, operation, Outcome::Refused, Some(reason)),
        Ok(effect) => {
            let moved = !effect.movements.is_empty();
            let was_open = matches!(payment.status, Status::Challenge | Status::Pending);
            unit.apply(payment, operation, effect)?;
            if was_open {
                end_payment_call(unit, payment)?;
            }
            if moved {
                unit.doom(operation);
            }
            unit.conclude(payment, operation, Outcome::Done, None)
        }
    }
}

/// A payment that was cancelled before it was decided ends its own call, too: refused, `cancelled`.
fn end_payment_call(unit: &mut Unit<'_>, payment: &mut Payment) -> Result<(), StoreError> {
    let mut call = operations::find(unit.connection, &payment.idempotency_key)?
        .ok_or(StoreError::Corrupt("operations"))?;
    pay::refuse(unit, payment, &mut call, Reason::Cancelled)?;
    Ok(operations::update(unit.connection, &call)?)
}

fn new_operation(
    unit: &Unit<'_>,
    call: ModifyCall,
    payment: &Payment,
) -> Result<Operation, StoreError> {
    let settings = &unit.faults.settings;
    let fail_late = settings.fails_late(call.kind);
    let mut forced_reason = settings
        .refuses(call.kind)
        .then_some(Reason::RefusedByFault);
    let mut due_at = None;
    if settings.asynchronous() {
        // What was only accepted and is then to fail has moved no money: it is refused, late.
        let delay = if fail_late { LATE_DELAY } else { WORK_DELAY };
        due_at = Some(unit.now + delay);
        forced_reason = forced_reason.or(fail_late.then_some(Reason::FailedLate));
    }
    Ok(Operation {
        idempotency_key: call.key,
        kind: call.kind,
        psp_reference: entropy::unguessable("psp_")?,
        payment_reference: call.psp_reference,
        fingerprint: call.fingerprint,
        amount: call.amount.unwrap_or(payment.amount),
        currency: payment.currency.clone(),
        answer: Outcome::Received,
        answer_reason: None,
        result: Outcome::Received,
        reason: None,
        forced_reason,
        fail_late,
        due_at,
        late_at: None,
        created_at: unit.now,
    })
}
