//! Executes calls within one transaction: payment, call, ledger and notification together.

pub(crate) mod challenge;
pub(crate) mod due;
pub(crate) mod modify;
pub(crate) mod pay;

use diesel::sqlite::SqliteConnection;

use crate::codes::{Outcome, Reason};
use crate::decide::Effect;
use crate::notifications::{self, Report};
use crate::store::StoreError;
use crate::store::ledger::{self, Entry};
use crate::store::operations::{self, Operation};
use crate::store::payments::{self, Payment};
use crate::transaction::Transaction;

/// Delay of accepted work in asynchronous mode, in microseconds.
pub(crate) const WORK_DELAY: i64 = 200_000;
/// Delay of a reversal by `fail_late`, in microseconds.
pub(crate) const LATE_DELAY: i64 = 1_000_000;

impl Transaction<'_> {
    /// Applies a decision to the payment and writes its ledger entries under the key of the causing
    /// call. The caller saves the payment.
    fn apply(
        &mut self,
        payment: &mut Payment,
        operation: &Operation,
        effect: Effect,
    ) -> Result<(), StoreError> {
        payment.status = effect.status;
        payment.captured = effect.captured;
        payment.refunded = effect.refunded;
        payment.updated_at = self.now;
        for (kind, amount) in effect.movements {
            let entry = Entry {
                reference: payment.reference.clone(),
                kind,
                amount,
                currency: payment.currency.clone(),
                psp_reference: payment.psp_reference.clone(),
                idempotency_key: operation.idempotency_key.clone(),
                at: self.now,
            };
            ledger::insert(self.connection, &entry)?;
        }
        Ok(())
    }

    /// Sets a call's final result and enqueues its notification. The caller saves the call.
    fn finish_operation(
        &mut self,
        payment: &Payment,
        operation: &mut Operation,
        result: Outcome,
        reason: Option<Reason>,
    ) -> Result<(), StoreError> {
        operation.result = result;
        operation.reason = reason;
        let in_response = operation.due_at.take().is_none();
        let report = Report {
            payment,
            operation,
            kind: operation.kind,
            in_response,
        };
        notifications::enqueue(self, &report)
    }

    /// Schedules the reversal of a success if the call is subject to `fail_late`.
    fn schedule_late_failure(&self, operation: &mut Operation) {
        if operation.fail_late {
            operation.late_at = Some(self.now + LATE_DELAY);
        }
    }
}

/// The response to a call with an idempotency key.
#[derive(Clone, Debug)]
pub(crate) enum CallResponse {
    /// The call was executed, now or before.
    Operation {
        operation: Box<Operation>,
        /// The payment that the call created or modified.
        payment: Box<Payment>,
    },
    /// The key was used before with other parameters.
    KeyReused,
    /// No payment has this reference.
    UnknownPayment,
}

/// The recorded response for a key, if the key was used before.
fn recorded_response(
    connection: &mut SqliteConnection,
    key: &str,
    fingerprint: &str,
) -> Result<Option<CallResponse>, StoreError> {
    let Some(operation) = operations::find(connection, key)? else {
        return Ok(None);
    };
    if operation.fingerprint != fingerprint {
        return Ok(Some(CallResponse::KeyReused));
    }
    let payment = payments::find(connection, &operation.payment_reference)?
        .ok_or(StoreError::Corrupt("payments"))?;
    Ok(Some(CallResponse::Operation {
        operation: Box::new(operation),
        payment: Box::new(payment),
    }))
}
