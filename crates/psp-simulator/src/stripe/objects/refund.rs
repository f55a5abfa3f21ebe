//! The `refund` object.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{CHARGE_PREFIX, REFUND_PREFIX, object_id, seconds};
use crate::codes::Outcome;
use crate::store::operations::Operation;
use crate::store::payments::Payment;

/// What the engine stores with a refund call for this face.
#[derive(Debug, Default, Deserialize, Serialize)]
pub(in crate::stripe) struct RefundDetails {
    pub(in crate::stripe) metadata: BTreeMap<String, String>,
    pub(in crate::stripe) reason: Option<String>,
}

/// An accepted refund call of a payment.
pub(in crate::stripe) fn refund(payment: &Payment, operation: &Operation) -> Value {
    let details: RefundDetails = operation
        .metadata
        .as_deref()
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default();
    let status = match operation.result {
        Outcome::Done => "succeeded",
        Outcome::Refused => "failed",
        _ => "pending",
    };
    let mut object = json!({
        "id": object_id(REFUND_PREFIX, &operation.psp_reference),
        "object": "refund",
        "amount": operation.amount,
        "balance_transaction": null,
        "charge": object_id(CHARGE_PREFIX, &payment.psp_reference),
        "created": seconds(operation.created_at),
        "currency": operation.currency.to_ascii_lowercase(),
        "destination_details": { "card": { "type": "refund" }, "type": "card" },
        "metadata": details.metadata,
        "payment_intent": payment.intent_id,
        "reason": details.reason,
        "receipt_number": null,
        "source_transfer_reversal": null,
        "status": status,
        "transfer_reversal": null,
    });
    if let Some(members) = object.as_object_mut().filter(|_| status == "failed") {
        members.insert("failure_reason".to_owned(), json!("unknown"));
    }
    object
}
