//! The `confirmation_token` object.

use serde_json::{Value, json};

use super::payment_method::{billing_details, card};
use super::seconds;
use crate::store::stripe::confirmation_tokens::ConfirmationToken;
use crate::store::tokens::Token;

/// How long a confirmation token can be used, in seconds.
pub(in crate::stripe) const LIFETIME_SECONDS: i64 = 12 * 3_600;

/// A confirmation token with a preview of its payment method.
pub(in crate::stripe) fn confirmation_token(token: &ConfirmationToken, method: &Token) -> Value {
    let created = seconds(token.created_at);
    json!({
        "id": token.id,
        "object": "confirmation_token",
        "created": created,
        "expires_at": created + LIFETIME_SECONDS,
        "livemode": false,
        "mandate_data": null,
        "payment_intent": token.intent_id,
        "payment_method_options": null,
        "payment_method_preview": {
            "allow_redisplay": "unspecified",
            "billing_details": billing_details(),
            "card": card(method),
            "customer": null,
            "type": "card",
        },
        "return_url": token.return_url,
        "setup_future_usage": null,
        "setup_intent": null,
        "shipping": null,
        "use_stripe_sdk": true,
    })
}
