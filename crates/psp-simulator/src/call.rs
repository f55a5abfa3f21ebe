//! Common parts of all calls with an idempotency key: key, fingerprint and response.

use actix_web::{HttpRequest, HttpResponse};
use ring::digest;
use serde_json::{Map, Value, json};

use crate::app::Simulator;
use crate::codes::{Kind, Outcome};
use crate::engine::CallResponse;
use crate::problem::Problem;
use crate::store::payments::Payment;

const HEADER: &str = "Idempotency-Key";
/// Maximum length of a key, in characters.
const MAX_KEY_LENGTH: usize = 255;

/// The call's idempotency key: 1 to 255 visible ASCII characters; 422 otherwise.
pub(crate) fn idempotency_key(request: &HttpRequest) -> Result<String, Problem> {
    let Some(value) = request.headers().get(HEADER) else {
        return Err(Problem::field(HEADER, "is required"));
    };
    value
        .to_str()
        .ok()
        .filter(|key| (1..=MAX_KEY_LENGTH).contains(&key.len()))
        .filter(|key| key.bytes().all(|byte| byte.is_ascii_graphic()))
        .map(str::to_owned)
        .ok_or_else(|| Problem::field(HEADER, "must be 1 to 255 visible ASCII characters"))
}

/// Distinguishes calls under the same key: SHA-256 over the parameters, in a fixed order.
pub(crate) fn fingerprint(parameters: &Value) -> String {
    hex::encode(digest::digest(
        &digest::SHA256,
        parameters.to_string().as_bytes(),
    ))
}

/// Builds a response: 201 with the result, 404 for an unknown payment, 422 for a reused key.
pub(crate) fn respond(
    simulator: &Simulator,
    response: CallResponse,
) -> Result<HttpResponse, Problem> {
    let (operation, payment) = match response {
        CallResponse::Operation { operation, payment } => (operation, *payment),
        CallResponse::KeyReused => return Err(Problem::KeyReused),
        CallResponse::UnknownPayment => {
            return Err(Problem::NotFound("no payment has this psp_reference"));
        }
    };
    let mut body = json!({
        "psp_reference": operation.psp_reference,
        "result": operation.response,
    });
    if let Some(members) = body.as_object_mut() {
        if let Some(reason) = operation.response_reason {
            members.insert("reason".to_owned(), json!(reason));
        }
        describe(
            simulator,
            members,
            operation.kind,
            &payment,
            operation.response,
        );
    }
    Ok(HttpResponse::Created().json(body))
}

/// Adds the members of payment calls only: the card and, with the result `challenge`, the page to
/// show in the shopper's browser.
pub(crate) fn describe(
    simulator: &Simulator,
    members: &mut Map<String, Value>,
    kind: Kind,
    payment: &Payment,
    result: Outcome,
) {
    if kind != Kind::Authorise {
        return;
    }
    if let Some(card) = payment.card() {
        members.insert("card".to_owned(), json!(card));
    }
    if result == Outcome::Challenge
        && let Some(id) = &payment.challenge_id
    {
        let url = format!("{}/challenge/{id}", simulator.public_url);
        members.insert("challenge_url".to_owned(), json!(url));
    }
}
