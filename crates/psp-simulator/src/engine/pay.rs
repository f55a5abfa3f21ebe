//! A payment call: spends a token, authorizes the card, holds or captures the amount.

use super::{CallResponse, WORK_DELAY, recorded_response};
use crate::codes::{Behavior, Kind, Outcome, Reason, Status};
use crate::decide;
use crate::entropy;
use crate::notifications;
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
    /// The payment intent that the call is an attempt of (Stripe face).
    pub(crate) intent: Option<IntentLink>,
}

/// The payment intent of a payment.
#[derive(Clone, Debug)]
pub(crate) struct IntentLink {
    pub(crate) intent_id: String,
    /// Whether a passed challenge waits for [`confirm`].
    pub(crate) confirm_after_challenge: bool,
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
    Ok(CallResponse::Operation {
        operation: Box::new(operation),
        payment: Box::new(payment),
    })
}

/// Authorizes a payment whose challenge was passed, or only accepts that (asynchronous mode). The
/// money moves under the key of the payment call. The caller must check the status.
pub(crate) fn confirm(
    transaction: &mut Transaction<'_>,
    payment: &mut Payment,
) -> Result<(), StoreError> {
    let mut operation = operations::find(transaction.connection, &payment.idempotency_key)?
        .ok_or(StoreError::Corrupt("operations"))?;
    let settings = &transaction.faults.settings;
    operation.fail_late = settings.fails_late(late_kind(payment.capture));
    operation.forced_reason = settings
        .refuses(Kind::Authorise)
        .then_some(Reason::CardDeclined);
    if settings.asynchronous() {
        operation.result = Outcome::Pending;
        operation.due_at = Some(transaction.now + WORK_DELAY);
    } else {
        resolve(transaction, payment, &mut operation)?;
        payments::update(transaction.connection, payment)?;
    }
    Ok(operations::update(transaction.connection, &operation)?)
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
    if payment.behavior == Behavior::Challenge && payment.status != Status::Authenticated {
        payment.status = Status::Challenge;
        payment.challenge_id = Some(entropy::random_id("ch_")?);
        operation.result = Outcome::Challenge;
        operation.due_at = None;
        return notifications::enqueue_challenge(transaction, payment, operation);
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
    payment.updated_at = transaction.now;
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
        intent_id: call.intent.as_ref().map(|link| link.intent_id.clone()),
        confirm_after_challenge: call
            .intent
            .as_ref()
            .is_some_and(|link| link.confirm_after_challenge),
        created_at: transaction.now,
        updated_at: transaction.now,
    };
    Ok((payment, reason))
}

fn new_operation(
    transaction: &Transaction<'_>,
    call: PaymentCall,
    payment: &Payment,
    forced_reason: Option<Reason>,
) -> Operation {
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
        fail_late: transaction
            .faults
            .settings
            .fails_late(late_kind(call.capture)),
        due_at: None,
        late_at: None,
        metadata: None,
        created_at: transaction.now,
    }
}

/// What `fail_late` reverses: with immediate capture the capture, otherwise the authorization, which
/// lapses.
const fn late_kind(capture: bool) -> Kind {
    if capture {
        Kind::Capture
    } else {
        Kind::Authorise
    }
}
