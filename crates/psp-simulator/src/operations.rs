//! `GET /v1/operations/{idempotency_key}`: looks up the result of a call.

use actix_web::{HttpResponse, web};
use serde_json::json;

use crate::app::Simulator;
use crate::call;
use crate::problem::Problem;
use crate::store::{StoreError, operations, payments};

/// The present result of a call. A 404 only means that the call has not arrived yet: it may be in
/// transit.
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
            let payment = payments::find(connection, &operation.payment_reference)?
                .ok_or(StoreError::Corrupt("payments"))?;
            Ok(Some((operation, payment)))
        })
        .await?;
    let Some((operation, payment)) = found else {
        return Err(Problem::NotFound(
            "no request with this Idempotency-Key was received",
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
    if let Some(members) = body.as_object_mut() {
        call::describe(
            &simulator,
            members,
            operation.kind,
            &payment,
            operation.result,
        );
    }
    Ok(HttpResponse::Ok().json(body))
}
