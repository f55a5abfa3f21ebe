//! `GET /v1/checkout/sessions/{id}`

use actix_web::{HttpResponse, web};
use oncharge_application::checkout::get;

use crate::{
    Api, error_responses::ReadErrors, gate::Caller, problem::Problem, render::session::SessionBody,
};

/// Retrieve a checkout session
///
/// A session that is not paid by `expires_at` is reported as `expired` immediately.
#[utoipa::path(
    get,
    path = "/v1/checkout/sessions/{id}",
    tag = "Checkout sessions",
    operation_id = "getSession",
    params(("id" = String, Path, description = "The session's id.")),
    responses((status = 200, body = SessionBody, description = "The session."), ReadErrors),
)]
pub(crate) async fn get(
    api: web::Data<Api>,
    Caller(merchant): Caller,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let session = get::get(api.app(), merchant.id, &id).await?;
    Ok(HttpResponse::Ok().json(SessionBody::at(&session, api.app().now())))
}
