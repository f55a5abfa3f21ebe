//! Stripe's objects, rendered from rows. The ids of charges and refunds are the engine's references
//! with another prefix.

mod charge;
mod confirmation_token;
mod payment_intent;
mod payment_method;
mod refund;

use serde_json::{Value, json};

pub(super) use charge::charge;
pub(super) use confirmation_token::{LIFETIME_SECONDS, confirmation_token};
pub(super) use payment_intent::{Expand, payment_intent};
pub(super) use payment_method::payment_method;
pub(super) use refund::{RefundDetails, refund};

/// The engine's prefix of references.
const REFERENCE_PREFIX: &str = "psp_";
pub(super) const CHARGE_PREFIX: &str = "ch_";
pub(super) const REFUND_PREFIX: &str = "re_";

/// The id of an object for the engine's reference.
pub(super) fn object_id(prefix: &str, reference: &str) -> String {
    let rest = reference
        .strip_prefix(REFERENCE_PREFIX)
        .unwrap_or(reference);
    format!("{prefix}{rest}")
}

/// The engine's reference for the id of an object; `None` if it is the id of another object.
pub(super) fn reference(prefix: &str, object_id: &str) -> Option<String> {
    let rest = object_id.strip_prefix(prefix)?;
    Some(format!("{REFERENCE_PREFIX}{rest}"))
}

/// Seconds since 1970, as in all objects.
pub(super) const fn seconds(micros: i64) -> i64 {
    micros / 1_000_000
}

/// Parses JSON that this face has stored; `default` if there is none.
fn stored_json(text: &str, default: Value) -> Value {
    serde_json::from_str(text).unwrap_or(default)
}

/// A page of a list.
pub(super) fn list(url: &str, data: &[Value], has_more: bool) -> Value {
    json!({ "object": "list", "url": url, "has_more": has_more, "data": data })
}

#[cfg(test)]
mod tests {
    use super::{CHARGE_PREFIX, REFUND_PREFIX, object_id, reference};

    #[test]
    fn object_ids_and_references_correspond() {
        assert_eq!(object_id(CHARGE_PREFIX, "psp_a-_1"), "ch_a-_1");
        assert_eq!(
            reference(CHARGE_PREFIX, "ch_a-_1").as_deref(),
            Some("psp_a-_1")
        );
        assert_eq!(reference(REFUND_PREFIX, "ch_a-_1"), None);
    }
}
