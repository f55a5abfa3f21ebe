//! The `payment_method` object.

use serde_json::{Value, json};

use super::seconds;
use crate::store::tokens::Token;

/// A card as a payment method.
pub(in crate::stripe) fn payment_method(method: &Token) -> Value {
    json!({
        "id": method.id,
        "object": "payment_method",
        "allow_redisplay": "unspecified",
        "billing_details": billing_details(),
        "card": card(method),
        "created": seconds(method.created_at),
        "customer": null,
        "livemode": false,
        "metadata": {},
        "type": "card",
    })
}

/// The `card` member of a payment method.
pub(super) fn card(method: &Token) -> Value {
    json!({
        "brand": method.brand,
        "checks": {
            "address_line1_check": null,
            "address_postal_code_check": null,
            "cvc_check": "pass",
        },
        "country": "US",
        "display_brand": method.brand,
        "exp_month": method.exp_month,
        "exp_year": method.exp_year,
        "funding": "credit",
        "generated_from": null,
        "last4": method.last4,
        "networks": { "available": [method.brand], "preferred": null },
        "three_d_secure_usage": { "supported": true },
        "wallet": null,
    })
}

/// Billing details without content.
pub(super) fn billing_details() -> Value {
    json!({
        "address": {
            "city": null,
            "country": null,
            "line1": null,
            "line2": null,
            "postal_code": null,
            "state": null,
        },
        "email": null,
        "name": null,
        "phone": null,
        "tax_id": null,
    })
}
