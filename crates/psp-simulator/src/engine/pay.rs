//! A payment call: spends a token, authorizes the card, holds or captures the amount.

use super::{CallResponse, WORK_DELAY, recorded_response};
use crate::codes::{Behavior, Kind, Outcome, Reason, Status};
use crate::decide;
use crate::entropy;
use crate::store::StoreError;
use crate::store::operations::{self, Operation};
use crate::store::payments::{self, Payment};
use crate::store::tokens;
use crate::transaction::Transaction;

/// The parameters of a payment.
#[derive(Clone, Debug)]
pub(crate) struct PaymentCall {
    pub(crate) key: String,
    pub(crate) fingerprint: String,
    pub(crate) token: String,
    pub(crate) amount: i64,
    pub(crate) currency: String,
    pub(crate) capture: bool,
    pub(crate) reference: String,
    pub(crate) notification_url: Option<String>,
}

/// Executes the call, or only accepts it (asynchronous mode), or returns its recorded response.
pub(crate) fn pay(
    transaction: &mut Transaction<'_>,
    call: PaymentCall,
) -> Result<CallResponse, StoreError> {
    if let Some(response) = recorded_response(transaction.connection, &call.key, &call.fingerprint)?
    {
        return Ok(response);
    }
    let (mut payment, forced_reason) = open_payment(transaction, &call)?;
    let mut operation = new_operation(transaction, call, &payment, forced_reason);
    // A challenge is never asynchronous: it needs the shopper at once and is not a result.
    let challenge = payment.behavior == Behavior::Challenge && forced_reason.is_none();
    if transaction.faults.settings.asynchronous() && !challenge {
        operation.due_at = Some(transaction.now + WORK_DELAY);
    } else {
        resolve(transaction, &mut payment, &mut operation)?;
    }
    operation.response = operation.result;
    operation.response_reason = operation.reason;
    payments::insert(transaction.connection, &payment)?;
    operations::insert(transaction.connection, &operation)?;
    let payment = Box::new(payment);
    Ok(CallResponse::Operation { operation, payment })
}

/// Decides an open payment: by the fault that refuses it, or by its card. The caller saves it.
pub(super) fn resolve(
    transaction: &mut Transaction<'_>,
    payment: &mut Payment,
    operation: &mut Operation,
) -> Result<(), StoreError> {
    let refusal = operation.forced_reason.or(match payment.behavior {
        Behavior::Approve | Behavior::Chargeback | Behavior::Challenge => None,
        Behavior::CardDeclined => Some(Reason::CardDeclined),
        Behavior::InsufficientFunds => Some(Reason::InsufficientFunds),
        Behavior::ExpiredCard => Some(Reason::ExpiredCard),
    });
    if let Some(reason) = refusal {
        return refuse(transaction, payment, operation, reason);
    }
    if payment.behavior == Behavior::Challenge {
        payment.status = Status::Challenge;
        payment.challenge_id = Some(entropy::random_id("ch_")?);
        operation.result = Outcome::Challenge;
        operation.due_at = None;
        return Ok(());
    }
    approve(transaction, payment, operation)
}

/// Approves the payment for the issuer. The caller saves it.
pub(super) fn approve(
    transaction: &mut Transaction<'_>,
    payment: &mut Payment,
    operation: &mut Operation,
) -> Result<(), StoreError> {
    transaction.apply(payment, operation, decide::authorise(payment))?;
    transaction.schedule_late_failure(operation);
    let result = if payment.capture {
        Outcome::Captured
    } else {
        Outcome::Authorised
    };
    transaction.finish_operation(payment, operation, result, None)
}

/// Refuses the payment. The caller saves it.
pub(super) fn refuse(
    transaction: &mut Transaction<'_>,
    payment: &mut Payment,
    operation: &mut Operation,
    reason: Reason,
) -> Result<(), StoreError> {
    payment.status = match reason {
        Reason::Cancelled => Status::Cancelled,
        _ => Status::Refused,
    };
    transaction.finish_operation(payment, operation, Outcome::Refused, Some(reason))
}

/// Spends the token and opens the payment; also returns the reason if it must be refused.
fn open_payment(
    transaction: &mut Transaction<'_>,
    call: &PaymentCall,
) -> Result<(Payment, Option<Reason>), StoreError> {
    let token = tokens::find(transaction.connection, &call.token)?;
    let reason = match &token {
        None => Some(Reason::TokenUnknown),
        Some(token) if token.used_by.is_some() => Some(Reason::TokenUsed),
        Some(_) => {
            tokens::spend(transaction.connection, &call.token, &call.key)?;
            let refused = transaction.faults.settings.refuses(Kind::Authorise);
            refused.then_some(Reason::CardDeclined)
        }
    };
    let payment = Payment {
        psp_reference: entropy::random_id("psp_")?,
        idempotency_key: call.key.clone(),
        reference: call.reference.clone(),
        amount: call.amount,
        currency: call.currency.clone(),
        capture: call.capture,
        notification_url: call.notification_url.clone(),
        behavior: token
            .as_ref()
            .map_or(Behavior::Approve, |token| token.behavior),
        brand: token.as_ref().map(|token| token.brand.clone()),
        last4: token.map(|token| token.last4),
        status: Status::Pending,
        captured: 0,
        refunded: 0,
        challenge_id: None,
        created_at: transaction.now,
    };
    Ok((payment, reason))
}

fn new_operation(
    transaction: &Transaction<'_>,
    call: PaymentCall,
    payment: &Payment,
    forced_reason: Option<Reason>,
) -> Operation {
    // With immediate capture, the capture is reversed; otherwise the authorization lapses.
    let late_kind = if call.capture {
        Kind::Capture
    } else {
        Kind::Authorise
    };
    Operation {
        idempotency_key: call.key,
        kind: Kind::Authorise,
        psp_reference: payment.psp_reference.clone(),
        payment_reference: payment.psp_reference.clone(),
        fingerprint: call.fingerprint,
        amount: call.amount,
        currency: call.currency,
        response: Outcome::Pending,
        response_reason: None,
        result: Outcome::Pending,
        reason: None,
        forced_reason,
        fail_late: transaction.faults.settings.fails_late(late_kind),
        due_at: None,
        late_at: None,
        created_at: transaction.now,
    }
}
