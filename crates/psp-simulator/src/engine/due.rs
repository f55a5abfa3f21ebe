//! Executes due work: accepted calls (asynchronous mode) and reversals.

use super::{modify, pay};
use crate::codes::{Kind, Outcome, Reason, Status};
use crate::decide;
use crate::notifications::{self, Report};
use crate::store::StoreError;
use crate::store::operations::{self, Operation};
use crate::store::payments;
use crate::transaction::Transaction;

/// Executes the item that is due first. Returns `false` if nothing is due.
pub(crate) fn run_next(transaction: &mut Transaction<'_>) -> Result<bool, StoreError> {
    if let Some(operation) = operations::next_due(transaction.connection, transaction.now)? {
        execute(transaction, operation)?;
        return Ok(true);
    }
    if let Some(operation) = operations::next_reversal(transaction.connection, transaction.now)? {
        reverse(transaction, operation)?;
        return Ok(true);
    }
    Ok(false)
}

fn execute(transaction: &mut Transaction<'_>, mut operation: Operation) -> Result<(), StoreError> {
    let mut payment = payments::find(transaction.connection, &operation.payment_reference)?
        .ok_or(StoreError::Corrupt("payments"))?;
    if operation.kind == Kind::Authorise {
        pay::resolve(transaction, &mut payment, &mut operation)?;
    } else {
        modify::execute(transaction, &mut payment, &mut operation)?;
    }
    payments::update(transaction.connection, &payment)?;
    Ok(operations::update(transaction.connection, &operation)?)
}

fn reverse(transaction: &mut Transaction<'_>, mut operation: Operation) -> Result<(), StoreError> {
    let mut payment = payments::find(transaction.connection, &operation.payment_reference)?
        .ok_or(StoreError::Corrupt("payments"))?;
    operation.late_at = None;
    if let Some(effect) = decide::reverse(&payment, operation.kind, operation.amount) {
        transaction.apply(&mut payment, &operation, effect)?;
        let lapsed = payment.status == Status::Lapsed;
        let captured_at_once = operation.kind == Kind::Authorise && !lapsed;
        let kind = if captured_at_once {
            Kind::Capture
        } else {
            operation.kind
        };
        operation.result = Outcome::Refused;
        operation.reason = Some(if lapsed {
            Reason::AuthorisationExpired
        } else {
            Reason::FailedLate
        });
        let report = Report {
            payment: &payment,
            operation: &operation,
            kind,
            in_response: false,
        };
        notifications::enqueue(transaction, &report)?;
        payments::update(transaction.connection, &payment)?;
    }
    Ok(operations::update(transaction.connection, &operation)?)
}
