//! `POST /v1/payments`: authorizes a card, and captures at once if requested.

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::json;

use crate::app::Simulator;
use crate::body::{Body, require_json};
use crate::call;
use crate::engine::pay::{self, PaymentCall};
use crate::problem::Problem;

/// Maximum length of a caller's reference, in characters.
const MAX_REFERENCE_LENGTH: usize = 255;

/// Reads the call, executes it in one transaction, responds with what was committed.
pub(crate) async fn create(
    request: HttpRequest,
    bytes: web::Bytes,
    simulator: web::Data<Simulator>,
) -> Result<HttpResponse, Problem> {
    require_json(&request)?;
    let call = read(call::idempotency_key(&request)?, &bytes)?;
    let response = simulator
        .execute(move |transaction| pay::pay(transaction, call))
        .await?;
    call::respond(&simulator, response)
}

fn read(key: String, bytes: &[u8]) -> Result<PaymentCall, Problem> {
    let mut body = Body::parse(bytes)?;
    let token = body.text("token", 200);
    // Anything else could be a card number: it is neither looked up nor stored nor echoed.
    if !token.is_empty() && !is_token(&token) {
        body.add_problem("token", "is not a token of this PSP");
    }
    let amount = body.amount("amount");
    let currency = body.currency("currency");
    let capture = body.flag("capture");
    let reference = body.text("reference", MAX_REFERENCE_LENGTH);
    let notification_url = body.optional_url("notification_url");
    body.finish()?;
    let fingerprint = call::fingerprint(&json!([
        "authorise",
        token,
        amount,
        currency,
        capture,
        reference,
        notification_url
    ]));
    Ok(PaymentCall {
        key,
        fingerprint,
        token,
        amount,
        currency,
        capture,
        reference,
        notification_url,
        intent: None,
    })
}

fn is_token(text: &str) -> bool {
    text.strip_prefix("tok_").is_some_and(|rest| {
        !rest.is_empty()
            && rest
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    })
}
