//! `GET /v1/operations/{idempotency_key}`: what became of that call.

use actix_web::{HttpResponse, web};
use serde_json::json;

use crate::app::Simulator;
use crate::call;
use crate::problem::Problem;
use crate::store::{operations, payments};
use crate::words::Outcome;

/// The present result of a call. 404 only says that it has not been seen yet: it may be on its way.
pub(crate) async fn get(
    key: web::Path<String>,
    simulator: web::Data<Simulator>,
) -> Result<HttpResponse, Problem> {
    let key = key.into_inner();
    let found = simulator
        .store
        .read(move |connection| {
            let Some(operation) = operations::find(connection, &key)? else {
                return Ok(None);
            };
            let payment = payments::find(connection, &operation.payment_reference)?;
            Ok(Some((
                operation,
                payment.and_then(|payment| payment.challenge_id),
            )))
        })
        .await?;
    let Some((operation, challenge_id)) = found else {
        return Err(Problem::NotFound(
            "no call with this Idempotency-Key has been seen",
        ));
    };
    let mut body = json!({
        "kind": operation.kind,
        "idempotency_key": operation.idempotency_key,
        "psp_reference": operation.psp_reference,
        "result": operation.result,
        "amount": operation.amount,
        "currency": operation.currency,
        "reason": operation.reason,
    });
    if operation.result == Outcome::Challenge
        && let (Some(members), Some(id)) = (body.as_object_mut(), challenge_id)
    {
        members.insert(
            "challenge_url".to_owned(),
            json!(call::challenge_url(&simulator, &id)),
        );
    }
    Ok(HttpResponse::Ok().json(body))
}
