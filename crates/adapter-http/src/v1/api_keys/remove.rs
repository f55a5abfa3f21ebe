//! `DELETE /v1/api_keys/{key_id}`

use actix_web::{HttpResponse, web};
use oncharge_application::api_keys::remove;

use crate::{
    Api,
    error_responses::{LastKeyErrors, ReadErrors},
    gate::Signer,
    problem::Problem,
};

/// Delete an API key
///
/// Requests that it signs are rejected within a second, and it signs no more webhooks. The last
/// active key cannot be deleted: rotate it. A key in its grace period can delete only itself.
#[utoipa::path(
    delete,
    path = "/v1/api_keys/{key_id}",
    tag = "API keys",
    operation_id = "endApiKey",
    params(("key_id" = String, Path, description = "The key's id.")),
    responses((status = 204, description = "Ended."), ReadErrors, LastKeyErrors),
)]
pub(crate) async fn remove(
    api: web::Data<Api>,
    Signer(signer): Signer,
    key_id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    remove::remove(api.app(), signer, &key_id).await?;
    Ok(HttpResponse::NoContent().finish())
}
