//! `GET /v1/webhook_endpoint`

use actix_web::{HttpResponse, web};
use oncharge_application::webhooks::endpoint;

use crate::{
    Api,
    error_responses::{ActiveKeyErrors, ReadErrors},
    gate::ActiveSigner,
    problem::Problem,
    render::webhook_endpoint::EndpointBody,
};

/// Retrieve the webhook endpoint
#[utoipa::path(
    get,
    path = "/v1/webhook_endpoint",
    tag = "Webhooks",
    operation_id = "getWebhookEndpoint",
    responses(
        (status = 200, body = EndpointBody<'_>, description = "The endpoint."),
        ReadErrors,
        ActiveKeyErrors,
    ),
)]
pub(crate) async fn get(
    api: web::Data<Api>,
    ActiveSigner(signer): ActiveSigner,
) -> Result<HttpResponse, Problem> {
    let view = endpoint::get(api.app(), signer.merchant.id).await?;
    Ok(HttpResponse::Ok().json(EndpointBody::from(&view)))
}
