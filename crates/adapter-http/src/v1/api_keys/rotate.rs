//! `POST /v1/api_keys/rotate`

use actix_web::{HttpResponse, web};
use oncharge_application::api_keys::rotate::{self, OldKeyPolicy};

use crate::{
    Api,
    error_responses::{PostErrors, RotationErrors},
    gate::{Signer, post::Command},
    problem::Problem,
    render::{self, api_key::RotatedPairBody},
    request_body::request_body,
};

request_body! {
    /// How the key that signs the request is rotated.
    pub(crate) struct Rotation {
        /// Whether the old key ends at once; by default it works for 14 more days.
        revoke_old: Option<bool>,
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
    params(crate::schema::IdempotencyHeader),
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
    Ok(render::reply(reply))
}
