//! `POST /v1/webhook_endpoint/test`

use actix_web::{HttpResponse, web};
use oncharge_application::webhooks::test;

use crate::{
    Api,
    error_responses::{PostErrors, TestErrors},
    gate::{ActiveSigner, post::Command},
    limits::RetryAfter,
    problem::Problem,
    render::{self, delivery_attempt::AttemptBody},
    request_body::Empty,
};

/// Test the webhook endpoint
///
/// Posts `endpoint.test` to the endpoint once and returns the attempt, with 200 even if your
/// endpoint did not accept it. At most 10 times a minute.
#[utoipa::path(
    post,
    path = "/v1/webhook_endpoint/test",
    tag = "Webhooks",
    operation_id = "testWebhookEndpoint",
    params(crate::schema::IdempotencyHeader),
    request_body = Option<Empty>,
    responses(
        (status = 200, body = AttemptBody, description = "The attempt."),
        PostErrors,
        TestErrors,
    ),
)]
pub(crate) async fn test(
    api: web::Data<Api>,
    ActiveSigner(signer): ActiveSigner,
    Command(post): Command,
) -> Result<HttpResponse, Problem> {
    let counted = api.limits().count_endpoint_test(signer.merchant.id);
    counted.map_err(|RetryAfter(seconds)| Problem::RateLimited(seconds))?;
    let reply = test::test(api.app(), post.context, signer.key.id).await?;
    Ok(render::reply(reply))
}
