//! The `payment_intent` object.

use serde_json::{Value, json};

use super::payment_method::payment_method;
use super::{CHARGE_PREFIX, charge, object_id, seconds, stored_json};
use crate::codes::Status;
use crate::stripe::account::Account;
use crate::stripe::error::StripeError;
use crate::stripe::form::{Form, invalid};
use crate::stripe::view::{IntentStatus, IntentView};

/// Which members are objects instead of ids.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::stripe) struct Expand {
    latest_charge: bool,
    payment_method: bool,
}

impl Expand {
    /// Takes `expand[]`; in a list, the names start with `data.`.
    pub(in crate::stripe) fn read(form: &mut Form, prefix: &str) -> Result<Self, StripeError> {
        let mut expand = Self::default();
        for name in form.list("expand") {
            match name.strip_prefix(prefix) {
                Some("latest_charge") => expand.latest_charge = true,
                Some("payment_method") => expand.payment_method = true,
                _ => {
                    return Err(invalid(
                        "expand",
                        "names a property that cannot be expanded",
                    ));
                }
            }
        }
        Ok(expand)
    }
}

/// A payment intent in its present state.
pub(in crate::stripe) fn payment_intent(
    account: &Account,
    view: &IntentView,
    expand: Expand,
) -> Value {
    let (intent, status) = (&view.intent, view.status());
    let payment = view.attempt.as_ref().map(|attempt| &attempt.payment);
    let amount_capturable = match status {
        IntentStatus::RequiresCapture => intent.amount,
        _ => 0,
    };
    json!({
        "id": intent.intent_id,
        "object": "payment_intent",
        "amount": intent.amount,
        "amount_capturable": amount_capturable,
        "amount_details": { "tip": {} },
        "amount_received": payment.map_or(0, |payment| payment.captured),
        "application": null,
        "application_fee_amount": null,
        "automatic_payment_methods": null,
        "canceled_at": view.canceled_at().map(seconds),
        "cancellation_reason": view.cancellation_reason(),
        "capture_method": intent.capture_method,
        "client_secret": intent.client_secret,
        "confirmation_method": intent.confirmation_method,
        "created": seconds(intent.created_at),
        "currency": intent.currency,
        "customer": null,
        "description": intent.description,
        "last_payment_error": last_payment_error(view),
        "latest_charge": latest_charge(view, expand),
        "livemode": false,
        "metadata": stored_json(&intent.metadata, json!({})),
        "next_action": next_action(account, view),
        "on_behalf_of": null,
        "payment_method": method(view, expand),
        "payment_method_options": {},
        "payment_method_types": stored_json(&intent.payment_method_types, json!(["card"])),
        "processing": null,
        "receipt_email": null,
        "review": null,
        "setup_future_usage": null,
        "shipping": null,
        "statement_descriptor": null,
        "statement_descriptor_suffix": null,
        "status": status.as_str(),
        "transfer_data": null,
        "transfer_group": null,
    })
}

/// The error of the latest attempt, while the intent waits for another one.
fn last_payment_error(view: &IntentView) -> Option<Value> {
    let mut members = view.failure()?.members();
    if let Some(payment) = view.charged() {
        let charge_id = object_id(CHARGE_PREFIX, &payment.psp_reference);
        members.insert("charge".to_owned(), json!(charge_id));
    }
    if let Some(method) = &view.method {
        members.insert("payment_method".to_owned(), payment_method(method));
    }
    Some(Value::Object(members))
}

fn latest_charge(view: &IntentView, expand: Expand) -> Option<Value> {
    if expand.latest_charge {
        return charge(view);
    }
    let payment = view.charged()?;
    Some(json!(object_id(CHARGE_PREFIX, &payment.psp_reference)))
}

/// The payment method; a failed attempt leaves the intent without one.
fn method(view: &IntentView, expand: Expand) -> Option<Value> {
    let method = view.method.as_ref()?;
    if view.status() == IntentStatus::RequiresPaymentMethod {
        return None;
    }
    Some(if expand.payment_method {
        payment_method(method)
    } else {
        json!(method.id)
    })
}

/// What the shopper's browser has to do: the bank's page, in a frame or by a redirect.
fn next_action(account: &Account, view: &IntentView) -> Option<Value> {
    let payment = view.attempt.as_ref().map(|attempt| &attempt.payment)?;
    let challenge_id = payment.challenge_id.as_deref()?;
    if payment.status != Status::Challenge || view.status() != IntentStatus::RequiresAction {
        return None;
    }
    let url = account.challenge_url(challenge_id);
    Some(
        if view.intent.use_stripe_sdk || view.intent.return_url.is_none() {
            json!({
                "type": "use_stripe_sdk",
                "use_stripe_sdk": { "type": "three_d_secure_redirect", "stripe_js": url },
            })
        } else {
            json!({
                "type": "redirect_to_url",
                "redirect_to_url": { "return_url": view.intent.return_url, "url": url },
            })
        },
    )
}
