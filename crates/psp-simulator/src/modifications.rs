//! `POST /v1/payments/{psp_reference}/captures`, `/cancels`, `/refunds`.

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::json;

use crate::app::Simulator;
use crate::body::{Body, require_json};
use crate::call;
use crate::codes::Kind;
use crate::engine::modify::{self, ModificationCall};
use crate::problem::Problem;

/// `/captures {amount}`: captures all or part of the held amount and voids the rest.
pub(crate) async fn capture(
    request: HttpRequest,
    psp_reference: web::Path<String>,
    bytes: web::Bytes,
    simulator: web::Data<Simulator>,
) -> Result<HttpResponse, Problem> {
    require_json(&request)?;
    let amount = read_amount(&bytes)?;
    let call = new_call(
        &request,
        Kind::Capture,
        psp_reference.into_inner(),
        Some(amount),
    )?;
    perform(&simulator, call).await
}

/// `/cancels`: voids the held amount, or ends an open challenge. The body is empty or `{}`.
pub(crate) async fn cancel(
    request: HttpRequest,
    psp_reference: web::Path<String>,
    bytes: web::Bytes,
    simulator: web::Data<Simulator>,
) -> Result<HttpResponse, Problem> {
    if !bytes.is_empty() {
        require_json(&request)?;
        Body::parse(&bytes)?.finish()?;
    }
    let call = new_call(&request, Kind::Cancel, psp_reference.into_inner(), None)?;
    perform(&simulator, call).await
}

/// `/refunds {amount}`: refunds all or part of the captured amount.
pub(crate) async fn refund(
    request: HttpRequest,
    psp_reference: web::Path<String>,
    bytes: web::Bytes,
    simulator: web::Data<Simulator>,
) -> Result<HttpResponse, Problem> {
    require_json(&request)?;
    let amount = read_amount(&bytes)?;
    let call = new_call(
        &request,
        Kind::Refund,
        psp_reference.into_inner(),
        Some(amount),
    )?;
    perform(&simulator, call).await
}

fn read_amount(bytes: &[u8]) -> Result<i64, Problem> {
    let mut body = Body::parse(bytes)?;
    let amount = body.amount("amount");
    body.finish()?;
    Ok(amount)
}

fn new_call(
    request: &HttpRequest,
    kind: Kind,
    psp_reference: String,
    amount: Option<i64>,
) -> Result<ModificationCall, Problem> {
    Ok(ModificationCall {
        key: call::idempotency_key(request)?,
        fingerprint: call::fingerprint(&json!([kind, psp_reference, amount])),
        kind,
        psp_reference,
        amount,
        metadata: None,
    })
}

async fn perform(simulator: &Simulator, call: ModificationCall) -> Result<HttpResponse, Problem> {
    let response = simulator
        .execute(move |transaction| modify::modify(transaction, call))
        .await?;
    call::respond(simulator, response)
}
