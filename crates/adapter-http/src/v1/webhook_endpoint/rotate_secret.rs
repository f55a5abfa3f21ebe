//! `POST /v1/webhook_endpoint/rotate_secret`

use actix_web::{HttpResponse, web};
use oncharge_application::webhooks::rotate_secret::{self, OldSecretPolicy};
use utoipa::ToSchema;

use super::body::EndpointBody;
use crate::{
    Api,
    error_responses::{PostErrors, RotateSecretErrors},
    gate::{ActiveSigner, post::Command},
    problem::Problem,
    v1::{api_keys::rotate::revokes_old, response},
};

/// What becomes of the present secret.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the body, which is read field by field")]
pub(crate) struct SecretRotation {
    /// Whether it signs nothing from now on; where absent or false, both sign for 24 hours.
    revoke_old: Option<bool>,
}

/// Replace the webhook secret
///
/// Makes a new `signing_secret`, which is shown in this response alone. For 24 hours
/// `webhook-signature` carries the signatures of both, so that you can change your server in between.
#[utoipa::path(
    post,
    path = "/v1/webhook_endpoint/rotate_secret",
    tag = "Webhooks",
    operation_id = "rotateWebhookSecret",
    params(("Idempotency-Key" = Option<crate::schema::IdempotencyKey>, Header,
            description = "The same request under the same key is done once.")),
    request_body = Option<SecretRotation>,
    responses(
        (status = 200, body = EndpointBody<'_>, description = "The endpoint, with its new secret."),
        PostErrors,
        RotateSecretErrors,
    ),
)]
pub(crate) async fn rotate_secret(
    api: web::Data<Api>,
    _: ActiveSigner,
    Command(post): Command,
) -> Result<HttpResponse, Problem> {
    let old = if revokes_old(&post.body)? {
        OldSecretPolicy::Revoked
    } else {
        OldSecretPolicy::Overlaps
    };
    let reply = rotate_secret::rotate_secret(api.app(), post.context, old).await?;
    Ok(response::reply(reply))
}
