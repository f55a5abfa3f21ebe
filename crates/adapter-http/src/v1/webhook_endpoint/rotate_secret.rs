//! `POST /v1/webhook_endpoint/rotate_secret`

use actix_web::{HttpResponse, web};
use oncharge_application::webhooks::rotate_secret::{self, OldSecretPolicy};

use crate::{
    Api,
    error_responses::{PostErrors, RotateSecretErrors},
    gate::{ActiveSigner, post::Command},
    problem::Problem,
    render::{self, webhook_endpoint::EndpointBody},
    request_body::request_body,
};

request_body! {
    /// How the secret is rotated.
    pub(crate) struct SecretRotation {
        /// Whether the old secret ends at once; by default both sign for 24 hours.
        revoke_old: Option<bool>,
    }
}

/// Rotate the webhook secret
///
/// Creates a new `signing_secret`, which is returned only in this response. For 24 hours,
/// `webhook-signature` contains signatures of both secrets, so that you can update your server.
#[utoipa::path(
    post,
    path = "/v1/webhook_endpoint/rotate_secret",
    tag = "Webhooks",
    operation_id = "rotateWebhookSecret",
    params(crate::schema::IdempotencyHeader),
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
    Command(post): Command<SecretRotation>,
) -> Result<HttpResponse, Problem> {
    let old = if post.body.revoke_old.unwrap_or(false) {
        OldSecretPolicy::Revoked
    } else {
        OldSecretPolicy::Overlaps
    };
    let reply = rotate_secret::rotate_secret(api.app(), post.context, old).await?;
    Ok(render::reply(reply))
}
