//! `GET /v1/refunds/{id}`

use actix_web::{HttpResponse, web};
use oncharge_application::refunds::get;

use crate::{
    Api, error_responses::ReadErrors, gate::Caller, problem::Problem, render::refund::RefundBody,
};

/// Retrieve a refund
#[utoipa::path(
    get,
    path = "/v1/refunds/{id}",
    tag = "Refunds",
    operation_id = "getRefund",
    params(("id" = String, Path, description = "The refund's id.")),
    responses((status = 200, body = RefundBody, description = "The refund."), ReadErrors),
)]
pub(crate) async fn get(
    api: web::Data<Api>,
    Caller(merchant): Caller,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let refund = get::get(api.app(), merchant.id, &id).await?;
    Ok(HttpResponse::Ok().json(RefundBody::from(&refund)))
}
