//! Captures, cancels and refunds of a payment.

use super::{CallResponse, LATE_DELAY, WORK_DELAY, pay, recorded_response};
use crate::codes::{Kind, Outcome, Reason, Status};
use crate::decide;
use crate::entropy;
use crate::store::StoreError;
use crate::store::operations::{self, Operation};
use crate::store::payments::{self, Payment};
use crate::transaction::Transaction;

/// The parameters of a modification.
#[derive(Clone, Debug)]
pub(crate) struct ModificationCall {
    pub(crate) key: String,
    pub(crate) fingerprint: String,
    pub(crate) kind: Kind,
    pub(crate) psp_reference: String,
    /// In minor units; `None` for a cancel, which always ends the whole payment.
    pub(crate) amount: Option<i64>,
    /// What the caller stores with the call, as a JSON object.
    pub(crate) metadata: Option<String>,
}

/// Executes the call, or only accepts it (asynchronous mode), or returns its recorded response.
pub(crate) fn modify(
    transaction: &mut Transaction<'_>,
    call: ModificationCall,
) -> Result<CallResponse, StoreError> {
    if let Some(response) = recorded_response(transaction.connection, &call.key, &call.fingerprint)?
    {
        return Ok(response);
    }
    let Some(mut payment) = payments::find(transaction.connection, &call.psp_reference)? else {
        return Ok(CallResponse::UnknownPayment);
    };
    let mut operation = new_operation(transaction, call, &payment)?;
    if operation.due_at.is_none() {
        execute(transaction, &mut payment, &mut operation)?;
        payments::update(transaction.connection, &payment)?;
    }
    operation.response = operation.result;
    operation.response_reason = operation.reason;
    operations::insert(transaction.connection, &operation)?;
    Ok(CallResponse::Operation {
        operation: Box::new(operation),
        payment: Box::new(payment),
    })
}

/// Executes a modification. The caller saves payment and call.
pub(super) fn execute(
    transaction: &mut Transaction<'_>,
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
        Err(reason) => {
            transaction.finish_operation(payment, operation, Outcome::Refused, Some(reason))
        }
        Ok(effect) => {
            let moved = !effect.movements.is_empty();
            let was_open = matches!(
                payment.status,
                Status::Challenge | Status::Authenticated | Status::Pending
            );
            transaction.apply(payment, operation, effect)?;
            if was_open {
                end_payment_call(transaction, payment)?;
            }
            if moved {
                transaction.schedule_late_failure(operation);
            }
            transaction.finish_operation(payment, operation, Outcome::Done, None)
        }
    }
}

/// Ends the call of a payment that was cancelled before its decision: refused, `cancelled`.
fn end_payment_call(
    transaction: &mut Transaction<'_>,
    payment: &mut Payment,
) -> Result<(), StoreError> {
    let mut call = operations::find(transaction.connection, &payment.idempotency_key)?
        .ok_or(StoreError::Corrupt("operations"))?;
    pay::refuse(transaction, payment, &mut call, Reason::Cancelled)?;
    Ok(operations::update(transaction.connection, &call)?)
}

fn new_operation(
    transaction: &Transaction<'_>,
    call: ModificationCall,
    payment: &Payment,
) -> Result<Operation, StoreError> {
    let settings = &transaction.faults.settings;
    let fail_late = settings.fails_late(call.kind);
    let mut forced_reason = settings
        .refuses(call.kind)
        .then_some(Reason::RefusedByFault);
    let mut due_at = None;
    if settings.asynchronous() {
        // An accepted call that is to fail late has moved no money: it is refused after the late
        // delay.
        let delay = if fail_late { LATE_DELAY } else { WORK_DELAY };
        due_at = Some(transaction.now + delay);
        forced_reason = forced_reason.or(fail_late.then_some(Reason::FailedLate));
    }
    Ok(Operation {
        idempotency_key: call.key,
        kind: call.kind,
        psp_reference: entropy::random_id("psp_")?,
        payment_reference: call.psp_reference,
        fingerprint: call.fingerprint,
        amount: call.amount.unwrap_or(payment.amount),
        currency: payment.currency.clone(),
        response: Outcome::Received,
        response_reason: None,
        result: Outcome::Received,
        reason: None,
        forced_reason,
        fail_late,
        due_at,
        late_at: None,
        metadata: call.metadata,
        created_at: transaction.now,
    })
}
