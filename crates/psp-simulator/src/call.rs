//! What all calls with an idempotency key have in common: the key, the fingerprint, the answer.

use actix_web::{HttpRequest, HttpResponse};
use ring::digest;
use serde_json::{Value, json};

use crate::app::Simulator;
use crate::engine::Answer;
use crate::problem::Problem;
use crate::words::Outcome;

const HEADER: &str = "Idempotency-Key";
/// The longest key that is taken, in characters.
const LONGEST_KEY: usize = 255;

/// The call's idempotency key: 1 to 255 visible ASCII characters; 422 otherwise.
pub(crate) fn idempotency_key(request: &HttpRequest) -> Result<String, Problem> {
    let Some(value) = request.headers().get(HEADER) else {
        return Err(Problem::field(HEADER, "is required"));
    };
    value
        .to_str()
        .ok()
        .filter(|key| (1..=LONGEST_KEY).contains(&key.len()))
        .filter(|key| key.bytes().all(|byte| byte.is_ascii_graphic()))
        .map(str::to_owned)
        .ok_or_else(|| Problem::field(HEADER, "must be 1 to 255 visible ASCII characters"))
}

/// What tells two calls under one key apart: SHA-256 over the parameters, in a fixed order.
pub(crate) fn fingerprint(parameters: &Value) -> String {
    hex::encode(digest::digest(
        &digest::SHA256,
        parameters.to_string().as_bytes(),
    ))
}

/// Writes an answer: 201 with the result, 404 for an unknown payment, 422 for a key used before.
pub(crate) fn respond(simulator: &Simulator, answer: Answer) -> Result<HttpResponse, Problem> {
    let (operation, challenge_id) = match answer {
        Answer::Operation {
            operation,
            challenge_id,
        } => (operation, challenge_id),
        Answer::KeyReused => return Err(Problem::KeyReused),
        Answer::UnknownPayment => {
            return Err(Problem::NotFound(
                "there is no payment with this psp_reference",
            ));
        }
    };
    let mut body = json!({
        "psp_reference": operation.psp_reference,
        "result": operation.answer,
    });
    if let Some(members) = body.as_object_mut() {
        if let Some(reason) = operation.answer_reason {
            members.insert("reason".to_owned(), json!(reason));
        }
        if operation.answer == Outcome::Challenge
            && let Some(id) = challenge_id
        {
            members.insert(
                "challenge_url".to_owned(),
                json!(challenge_url(simulator, &id)),
            );
        }
    }
    Ok(HttpResponse::Created().json(body))
}

/// Where the shopper's browser finds a challenge.
pub(crate) fn challenge_url(simulator: &Simulator, id: &str) -> String {
    format!("{}/challenge/{id}", simulator.public_url)
}
