//! A capture, cancel or refund as a call of the engine, and what a refusal means at Stripe.

use serde_json::json;

use super::error::StripeError;
use super::execution::{Execution, Failure};
use super::payment_failure;
use crate::codes::{Kind, Outcome, Reason};
use crate::engine::CallResponse;
use crate::engine::modify::{self, ModificationCall};
use crate::store::StoreError;
use crate::store::operations::Operation;
use crate::store::payments::Payment;

/// An accepted or executed call with its payment.
pub(super) struct Accepted {
    pub(super) operation: Operation,
    pub(super) payment: Payment,
}

/// Executes the call on the payment. The inner error is the reason of a refusal.
pub(super) fn modify(
    execution: &mut Execution<'_, '_>,
    kind: Kind,
    payment: &Payment,
    amount: Option<i64>,
    metadata: Option<String>,
) -> Result<Result<Accepted, Reason>, Failure> {
    let call = ModificationCall {
        key: execution.key.clone(),
        fingerprint: execution.fingerprint.clone(),
        kind,
        psp_reference: payment.psp_reference.clone(),
        amount,
        metadata,
    };
    let response = modify::modify(execution.transaction, call)?;
    let CallResponse::Operation { operation, payment } = response else {
        return Err(StoreError::Corrupt("operations").into());
    };
    if operation.response == Outcome::Refused {
        return Ok(Err(operation.response_reason.unwrap_or(Reason::WrongState)));
    }
    Ok(Ok(Accepted {
        operation: *operation,
        payment: *payment,
    }))
}

/// 402: the call was refused by a fault.
pub(super) fn refused_by_fault() -> StripeError {
    let failure = payment_failure::DECLINED;
    StripeError::card(failure.message)
        .with_code(failure.code)
        .with("decline_code", json!(failure.decline_code))
}
