//! `POST /v1/api_keys/rotate`

use actix_web::{HttpResponse, web};
use oncharge_application::api_keys::rotate::{self, OldKeyPolicy};
use oncharge_domain::{merchant::ApiKey, time::Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    Api,
    error_responses::{PostErrors, RotationErrors},
    fields::{FieldReader, JsonBody, flag},
    gate::{Signer, post::Command},
    problem::Problem,
    v1::response,
};

/// What becomes of the pair that signs the request.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the body, which is read field by field")]
pub(crate) struct Rotation {
    /// Whether it ends at once; where absent or false, it works 14 days more.
    revoke_old: Option<bool>,
}

/// A new pair; its texts are shown only here.
#[derive(Serialize, ToSchema)]
#[schema(as = RotatedPair)]
pub(crate) struct RotatedPairBody<'a> {
    /// For `X-Oncharge-Key`.
    api_key: &'a str,
    /// What requests are signed with. Keep it secret.
    api_secret: &'a str,
    /// When the pair that signed the request ends.
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
/// Makes a new pair in place of the one that signs this request, which works for 14 more days, or ends
/// at once with `revoke_old`. Send an `Idempotency-Key`: within 10 minutes the old pair can ask for the
/// response again. In its grace period it can do everything else but manage keys and the webhook
/// endpoint. At most 5 pairs can be in their grace period: before a sixth, end one of them, or rotate
/// with `revoke_old`. `X-Oncharge-Signature` of webhooks stays with the old pair until the endpoint is
/// set again or that pair ends.
#[utoipa::path(
    post,
    path = "/v1/api_keys/rotate",
    tag = "API keys",
    operation_id = "rotateApiKey",
    params(("Idempotency-Key" = Option<crate::schema::IdempotencyKey>, Header,
            description = "The same request under the same key is done once.")),
    request_body = Option<Rotation>,
    responses(
        (status = 201, body = RotatedPairBody<'_>, description = "The new pair."),
        PostErrors,
        RotationErrors,
    ),
)]
pub(crate) async fn rotate(
    api: web::Data<Api>,
    Signer(signer): Signer,
    Command(post): Command,
) -> Result<HttpResponse, Problem> {
    let old = if revokes_old(&post.body)? {
        OldKeyPolicy::Revoked
    } else {
        OldKeyPolicy::Grace
    };
    let reply = rotate::rotate(api.app(), post.context, signer, old).await?;
    Ok(response::reply(reply))
}

/// Reads `{"revoke_old"?: bool}`.
pub(crate) fn revokes_old(body: &JsonBody) -> Result<bool, Problem> {
    let mut fields = FieldReader::of(body);
    let revoke_old = fields.optional("revoke_old", flag);
    fields.finish(Some(revoke_old.unwrap_or(false)))
}
