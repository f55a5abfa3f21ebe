//! An attempt to confirm an intent: one payment of the engine.

use serde_json::{Value, json};

use super::render;
use crate::engine::CallResponse;
use crate::engine::pay::{self, IntentLink, PaymentCall};
use crate::store::StoreError;
use crate::store::payments::Payment;
use crate::store::stripe::payment_intents::{self, PaymentIntent};
use crate::store::tokens::Token;
use crate::stripe::account::Account;
use crate::stripe::error::StripeError;
use crate::stripe::execution::{Execution, Failure};
use crate::stripe::objects::{self, CHARGE_PREFIX, Expand, object_id, payment_method};
use crate::stripe::payment_failure;
use crate::stripe::view::IntentView;

/// Pays a stored intent with an unused payment method.
pub(super) fn pay_with(
    execution: &mut Execution<'_, '_>,
    mut intent: PaymentIntent,
    method: &Token,
    expand: Expand,
) -> Result<Value, Failure> {
    intent.payment_method = Some(method.id.clone());
    payment_intents::update(execution.transaction.connection, &intent)?;
    let call = PaymentCall {
        key: execution.key.clone(),
        fingerprint: execution.fingerprint.clone(),
        token: method.id.clone(),
        amount: intent.amount,
        currency: intent.currency.to_ascii_uppercase(),
        capture: intent.capture_method != "manual",
        reference: reference(&execution.account, &intent),
        notification_url: None,
        intent: Some(IntentLink {
            intent_id: intent.intent_id.clone(),
            confirm_after_challenge: intent.confirmation_method == "manual",
        }),
    };
    let CallResponse::Operation { payment, .. } = pay::pay(execution.transaction, call)? else {
        return Err(StoreError::Corrupt("operations").into());
    };
    intent.payment_reference = Some(payment.psp_reference);
    payment_intents::update(execution.transaction.connection, &intent)?;
    respond(execution, intent, expand)
}

/// Authorizes the payment whose challenge was passed.
pub(super) fn complete(
    execution: &mut Execution<'_, '_>,
    intent: PaymentIntent,
    mut payment: Payment,
    expand: Expand,
) -> Result<Value, Failure> {
    pay::confirm(execution.transaction, &mut payment)?;
    respond(execution, intent, expand)
}

/// The intent after an attempt, or 402 if it was declined.
fn respond(
    execution: &mut Execution<'_, '_>,
    intent: PaymentIntent,
    expand: Expand,
) -> Result<Value, Failure> {
    let view = IntentView::load(execution.transaction.connection, intent)?;
    match view.failure() {
        Some(_) => Err(declined(&execution.account, &view).into()),
        None => Ok(objects::payment_intent(&execution.account, &view, expand)),
    }
}

fn declined(account: &Account, view: &IntentView) -> StripeError {
    let failure = view.failure().unwrap_or(payment_failure::DECLINED);
    let mut error = StripeError::card(failure.message)
        .with_code(failure.code)
        .with("payment_intent", render(account, view));
    if let Some(decline_code) = failure.decline_code {
        error = error.with("decline_code", json!(decline_code));
    }
    if let Some(payment) = view.charged() {
        let charge_id = object_id(CHARGE_PREFIX, &payment.psp_reference);
        error = error.with("charge", json!(charge_id));
    }
    if let Some(method) = &view.method {
        error = error.with("payment_method", payment_method(method));
    }
    error
}

/// The reference in the ledger: the configured metadata, or the intent's id.
fn reference(account: &Account, intent: &PaymentIntent) -> String {
    let metadata: Value = serde_json::from_str(&intent.metadata).unwrap_or(Value::Null);
    account
        .reference_metadata
        .as_ref()
        .and_then(|key| metadata.get(key))
        .and_then(Value::as_str)
        .filter(|reference| !reference.is_empty())
        .unwrap_or(&intent.intent_id)
        .to_owned()
}
