//! The `charge` object: what the issuer decided about an attempt.

use serde_json::{Value, json};

use super::payment_method::billing_details;
use super::{CHARGE_PREFIX, object_id, seconds, stored_json};
use crate::codes::Status;
use crate::store::payments::Payment;
use crate::stripe::payment_failure::PaymentFailure;
use crate::stripe::view::IntentView;

/// The charge of an intent's latest attempt; `None` if the issuer has not decided it.
pub(in crate::stripe) fn charge(view: &IntentView) -> Option<Value> {
    let payment = view.charged()?;
    let failure = view.failure();
    let is_declined = payment.status == Status::Refused;
    let amount_refunded = match payment.status {
        Status::Cancelled | Status::Lapsed => payment.amount,
        _ => payment.refunded,
    };
    let is_captured = payment.captured > 0;
    let intent = &view.intent;
    let refundable = if is_captured {
        payment.captured
    } else {
        payment.amount
    };
    Some(json!({
        "id": object_id(CHARGE_PREFIX, &payment.psp_reference),
        "object": "charge",
        "amount": payment.amount,
        "amount_captured": payment.captured,
        "amount_refunded": amount_refunded,
        "application": null,
        "application_fee": null,
        "application_fee_amount": null,
        "balance_transaction": null,
        "billing_details": billing_details(),
        "calculated_statement_descriptor": null,
        "captured": is_captured,
        "created": seconds(payment.created_at),
        "currency": intent.currency,
        "customer": null,
        "description": intent.description,
        "disputed": false,
        "failure_balance_transaction": null,
        "failure_code": failure.map(|failure| failure.code),
        "failure_message": failure.map(|failure| failure.message),
        "fraud_details": {},
        "livemode": false,
        "metadata": stored_json(&intent.metadata, json!({})),
        "on_behalf_of": null,
        "outcome": outcome(failure.filter(|_| is_declined)),
        "paid": !is_declined,
        "payment_intent": intent.intent_id,
        "payment_method": intent.payment_method,
        "payment_method_details": method_details(view, payment),
        "receipt_email": null,
        "receipt_number": null,
        "receipt_url": null,
        "refunded": amount_refunded == refundable,
        "review": null,
        "shipping": null,
        "source_transfer": null,
        "statement_descriptor": null,
        "statement_descriptor_suffix": null,
        "status": if is_declined { "failed" } else { "succeeded" },
        "transfer_data": null,
        "transfer_group": null,
    }))
}

fn outcome(failure: Option<PaymentFailure>) -> Value {
    match failure {
        None => json!({
            "network_status": "approved_by_network",
            "reason": null,
            "risk_level": "normal",
            "seller_message": "Payment complete.",
            "type": "authorized",
        }),
        Some(failure) => json!({
            "network_status": "declined_by_network",
            "reason": failure.decline_code,
            "risk_level": "normal",
            "seller_message": failure.message,
            "type": "issuer_declined",
        }),
    }
}

fn method_details(view: &IntentView, payment: &Payment) -> Value {
    let method = view.method.as_ref();
    let three_d_secure = payment.challenge_id.as_ref().map(|_| {
        json!({
            "authentication_flow": "challenge",
            "result": "authenticated",
            "result_reason": null,
            "version": "2.2.0",
        })
    });
    json!({
        "card": {
            "brand": payment.brand,
            "checks": {
                "address_line1_check": null,
                "address_postal_code_check": null,
                "cvc_check": "pass",
            },
            "country": "US",
            "exp_month": method.and_then(|method| method.exp_month),
            "exp_year": method.and_then(|method| method.exp_year),
            "funding": "credit",
            "installments": null,
            "last4": payment.last4,
            "mandate": null,
            "network": payment.brand,
            "three_d_secure": three_d_secure,
            "wallet": null,
        },
        "type": "card",
    })
}
