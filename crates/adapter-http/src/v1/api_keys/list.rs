//! `GET /v1/api_keys`

use actix_web::{HttpResponse, web};
use oncharge_application::api_keys::list;

use crate::{
    Api,
    error_responses::{ActiveKeyErrors, ReadErrors},
    gate::ActiveSigner,
    problem::Problem,
    render::api_key::ApiKeyList,
};

/// List the API keys
///
/// Lists the active keys (at most 5) and the keys in the grace period of a rotation (at most 5),
/// which have an `ends_at`.
#[utoipa::path(
    get,
    path = "/v1/api_keys",
    tag = "API keys",
    operation_id = "listApiKeys",
    responses(
        (status = 200, body = ApiKeyList, description = "The keys."),
        ReadErrors,
        ActiveKeyErrors,
    ),
)]
pub(crate) async fn list(
    api: web::Data<Api>,
    ActiveSigner(signer): ActiveSigner,
) -> Result<HttpResponse, Problem> {
    let keys = list::list(api.app(), signer.merchant.id).await?;
    Ok(HttpResponse::Ok().json(ApiKeyList::new(&keys)))
}
