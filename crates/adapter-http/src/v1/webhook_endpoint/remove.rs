//! `DELETE /v1/webhook_endpoint`

use actix_web::{HttpResponse, web};
use oncharge_application::webhooks::endpoint;

use crate::{
    Api,
    error_responses::{ActiveKeyErrors, ReadErrors},
    gate::ActiveSigner,
    problem::Problem,
};

/// Remove the webhook endpoint
///
/// Pending deliveries are abandoned. Events are still stored and listed.
#[utoipa::path(
    delete,
    path = "/v1/webhook_endpoint",
    tag = "Webhooks",
    operation_id = "removeWebhookEndpoint",
    responses((status = 204, description = "Removed."), ReadErrors, ActiveKeyErrors),
)]
pub(crate) async fn remove(
    api: web::Data<Api>,
    ActiveSigner(signer): ActiveSigner,
) -> Result<HttpResponse, Problem> {
    endpoint::remove(api.app(), signer.merchant.id).await?;
    Ok(HttpResponse::NoContent().finish())
}
