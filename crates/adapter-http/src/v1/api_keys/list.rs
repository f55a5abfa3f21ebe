//! `GET /v1/api_keys`

use actix_web::{HttpResponse, web};
use oncharge_application::api_keys::list;
use oncharge_domain::{merchant::ApiKey, time::Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    Api,
    error_responses::{ActiveKeyErrors, ReadErrors},
    gate::ActiveSigner,
    problem::Problem,
};

/// Your API keys that still work, newest first.
#[derive(Serialize, ToSchema)]
pub(crate) struct ApiKeyList {
    data: Vec<ApiKeyBody>,
}

/// An API key, without its value and secret.
#[derive(Serialize, ToSchema)]
#[schema(as = ApiKey)]
struct ApiKeyBody {
    /// Identifies the key in `DELETE /v1/api_keys/{key_id}`.
    #[schema(pattern = "^key_[0-9a-f]{32}$")]
    key_id: String,
    /// The last four characters of the key.
    key_hint: String,
    #[schema(format = DateTime)]
    created_at: String,
    /// When it last signed a request, accurate to an hour; null if it never did.
    #[schema(required, format = DateTime)]
    last_used_at: Option<String>,
    /// When its grace period ends; null while it is active.
    #[schema(required, format = DateTime)]
    ends_at: Option<String>,
}

impl From<&ApiKey> for ApiKeyBody {
    fn from(key: &ApiKey) -> Self {
        Self {
            key_id: key.id.to_string(),
            key_hint: key.hint.clone(),
            created_at: key.created_at.rfc3339(),
            last_used_at: key.last_used_at.map(Timestamp::rfc3339),
            ends_at: key.ends_at.map(Timestamp::rfc3339),
        }
    }
}

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
    let data = keys.iter().map(ApiKeyBody::from).collect();
    Ok(HttpResponse::Ok().json(ApiKeyList { data }))
}
