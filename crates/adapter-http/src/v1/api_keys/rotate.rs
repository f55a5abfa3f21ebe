//! `POST /v1/api_keys/rotate`

use actix_web::{HttpResponse, web};
use oncharge_application::api_keys::rotate::{self, OldKeyPolicy};
use oncharge_domain::{merchant::ApiKey, time::Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    Api,
    error_responses::{PostErrors, RotationErrors},
    gate::{Signer, post::Command},
    problem::Problem,
    request_body::request_body,
    v1::response,
};

request_body! {
    /// How the key that signs the request is rotated.
    pub(crate) struct Rotation {
        /// Whether the old key ends at once; by default it works for 14 more days.
        revoke_old: Option<bool>,
    }
}

/// A new API key and secret, which are returned only here.
#[derive(Serialize, ToSchema)]
#[schema(as = RotatedPair)]
pub(crate) struct RotatedPairBody<'a> {
    /// For `X-Oncharge-Key`.
    api_key: &'a str,
    /// The secret that signs requests. Keep it confidential.
    api_secret: &'a str,
    /// When the key that signed the request ends.
    #[schema(value_type = String, format = DateTime)]
    previous_key_ends_at: Option<String>,
}

impl<'a> RotatedPairBody<'a> {
    /// The new pair and the key that it replaces.
    pub(crate) fn new(api_key: &'a str, api_secret: &'a str, replaced: &ApiKey) -> Self {
        Self {
            api_key,
            api_secret,
            previous_key_ends_at: replaced.ends_at.map(Timestamp::rfc3339),
        }
    }
}

/// Replace the API key
///
/// Creates a new key and secret that replace those that sign this request. The old key works for 14
/// more days; with `revoke_old` it ends at once. Send an `Idempotency-Key`: within 10 minutes, the
/// old key can request the same response again. In its grace period, a key can do everything except
/// manage keys and the webhook endpoint. At most 5 keys can be in their grace period: before a
/// sixth, delete one of them, or rotate with `revoke_old`. `X-Oncharge-Signature` of webhooks uses
/// the old secret until the endpoint is set again or the old key ends.
#[utoipa::path(
    post,
    path = "/v1/api_keys/rotate",
    tag = "API keys",
    operation_id = "rotateApiKey",
    params(("Idempotency-Key" = Option<crate::schema::IdempotencyKey>, Header,
            description = "The same request with the same key is executed once.")),
    request_body = Option<Rotation>,
    responses(
        (status = 201, body = RotatedPairBody<'_>, description = "The new key and secret."),
        PostErrors,
        RotationErrors,
    ),
)]
pub(crate) async fn rotate(
    api: web::Data<Api>,
    Signer(signer): Signer,
    Command(post): Command<Rotation>,
) -> Result<HttpResponse, Problem> {
    let old = if post.body.revoke_old.unwrap_or(false) {
        OldKeyPolicy::Revoked
    } else {
        OldKeyPolicy::Grace
    };
    let reply = rotate::rotate(api.app(), post.context, signer, old).await?;
    Ok(response::reply(reply))
}
