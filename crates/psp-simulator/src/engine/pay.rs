//! A payment call: spends a token, asks the card, holds or captures the amount.

use super::{Answer, Unit, WORK_DELAY, remembered};
use crate::decide;
use crate::entropy;
use crate::store::StoreError;
use crate::store::operations::{self, Operation};
use crate::store::payments::{self, Payment};
use crate::store::tokens;
use crate::words::{Behaviour, Kind, Outcome, Reason, Status};

/// A payment as the caller asked for it.
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

/// Carries the call out, or only accepts it (asynchronous mode), or repeats what it was answered.
pub(crate) fn pay(unit: &mut Unit<'_>, call: PaymentCall) -> Result<Answer, StoreError> {
    if let Some(answer) = remembered(unit.connection, &call.key, &call.fingerprint)? {
        return Ok(answer);
    }
    let (mut payment, forced_reason) = admit(unit, &call)?;
    let mut operation = new_operation(unit, call, &payment, forced_reason);
    // A challenge needs the shopper at once; it is not a result that could come later.
    let challenge = payment.behaviour == Behaviour::Challenge && forced_reason.is_none();
    if unit.faults.settings.asynchronous() && !challenge {
        operation.due_at = Some(unit.now + WORK_DELAY);
    } else {
        resolve(unit, &mut payment, &mut operation)?;
    }
    operation.answer = operation.result;
    operation.answer_reason = operation.reason;
    payments::insert(unit.connection, &payment)?;
    operations::insert(unit.connection, &operation)?;
    let payment = Box::new(payment);
    Ok(Answer::Operation { operation, payment })
}

/// Decides a payment that is open: by the fault that refuses it, or by its card. The caller saves.
pub(super) fn resolve(
    unit: &mut Unit<'_>,
    payment: &mut Payment,
    operation: &mut Operation,
) -> Result<(), StoreError> {
    let refusal = operation.forced_reason.or(match payment.behaviour {
        Behaviour::Approve | Behaviour::Chargeback | Behaviour::Challenge => None,
        Behaviour::CardDeclined => Some(Reason::CardDeclined),
        Behaviour::InsufficientFunds => Some(Reason::InsufficientFunds),
        Behaviour::ExpiredCard => Some(Reason::ExpiredCard),
    });
    if let Some(reason) = refusal {
        return refuse(unit, payment, operation, reason);
    }
    if payment.behaviour == Behaviour::Challenge {
        payment.status = Status::Challenge;
        payment.challenge_id = Some(entropy::unguessable("ch_")?);
        operation.result = Outcome::Challenge;
        operation.due_at = None;
        return Ok(());
    }
    approve(unit, payment, operation)
}

/// The issuer says yes. The caller saves.
pub(super) fn approve(
    unit: &mut Unit<'_>,
    payment: &mut Payment,
    operation: &mut Operation,
) -> Result<(), StoreError> {
    unit.apply(payment, operation, decide::authorise(payment))?;
    unit.doom(operation);
    let result = if payment.capture {
        Outcome::Captured
    } else {
        Outcome::Authorised
    };
    unit.conclude(payment, operation, result, None)
}

/// Somebody says no. The caller saves.
pub(super) fn refuse(
    unit: &mut Unit<'_>,
    payment: &mut Payment,
    operation: &mut Operation,
    reason: Reason,
) -> Result<(), StoreError> {
    payment.status = match reason {
        Reason::Cancelled => Status::Cancelled,
        _ => Status::Refused,
    };
    unit.conclude(payment, operation, Outcome::Refused, Some(reason))
}

/// Spends the token and opens the payment; also the reason for which it is surely refused.
fn admit(unit: &mut Unit<'_>, call: &PaymentCall) -> Result<(Payment, Option<Reason>), StoreError> {
    let token = tokens::find(unit.connection, &call.token)?;
    let reason = match &token {
        None => Some(Reason::TokenUnknown),
        Some(token) if token.used_by.is_some() => Some(Reason::TokenUsed),
        Some(_) => {
            tokens::spend(unit.connection, &call.token, &call.key)?;
            let refused = unit.faults.settings.refuses(Kind::Authorise);
            refused.then_some(Reason::CardDeclined)
        }
    };
    let payment = Payment {
        psp_reference: entropy::unguessable("psp_")?,
        idempotency_key: call.key.clone(),
        reference: call.reference.clone(),
        amount: call.amount,
        currency: call.currency.clone(),
        capture: call.capture,
        notification_url: call.notification_url.clone(),
        behaviour: token
            .as_ref()
            .map_or(Behaviour::Approve, |token| token.behaviour),
        brand: token.as_ref().map(|token| token.brand.clone()),
        last4: token.map(|token| token.last4),
        status: Status::Pending,
        captured: 0,
        refunded: 0,
        challenge_id: None,
        created_at: unit.now,
    };
    Ok((payment, reason))
}

fn new_operation(
    unit: &Unit<'_>,
    call: PaymentCall,
    payment: &Payment,
    forced_reason: Option<Reason>,
) -> Operation {
    // What captures at once is taken back as a capture, else the authorisation lapses.
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
        answer: Outcome::Pending,
        answer_reason: None,
        result: Outcome::Pending,
        reason: None,
        forced_reason,
        fail_late: unit.faults.settings.fails_late(late_kind),
        due_at: None,
        late_at: None,
        created_at: unit.now,
    }
}
