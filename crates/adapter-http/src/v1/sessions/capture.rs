//! `POST /v1/checkout/sessions/{id}/capture`

use actix_web::{HttpResponse, web};
use oncharge_application::checkout::capture;
use utoipa::ToSchema;

use super::body::SessionBody;
use crate::{
    Api,
    error_responses::{CaptureErrors, PostErrors},
    fields::{FieldReader, JsonBody, amount},
    gate::post::Command,
    problem::Problem,
    v1::response,
};

/// The amount to capture.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the body, which is read field by field")]
pub(crate) struct NewCapture {
    /// Minor units, at most the authorized amount; default: all of it.
    #[schema(minimum = 1, maximum = 99_999_999_999_i64)]
    amount: Option<i64>,
}

/// Capture an authorized payment
///
/// Only while the session is `authorized`, and only once. A partial capture releases the rest.
#[utoipa::path(
    post,
    path = "/v1/checkout/sessions/{id}/capture",
    tag = "Checkout sessions",
    operation_id = "captureSession",
    params(
        ("id" = String, Path, description = "The session's id."),
        ("Idempotency-Key" = Option<crate::schema::IdempotencyKey>, Header,
            description = "The same request with the same key is executed once."),
    ),
    request_body = Option<NewCapture>,
    responses(
        (status = 200, body = SessionBody, description = "The session."),
        (status = 202, body = SessionBody, description = "Accepted; the outcome follows later."),
        PostErrors,
        CaptureErrors,
    ),
)]
pub(crate) async fn capture(
    api: web::Data<Api>,
    Command(post): Command,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let amount = read(&post.body)?;
    let reply = capture::capture(api.app(), post.context, &id, amount).await?;
    Ok(response::reply(reply))
}

fn read(body: &JsonBody) -> Result<Option<i64>, Problem> {
    let mut fields = FieldReader::of(body);
    let amount = fields.optional("amount", amount);
    fields.finish(Some(amount))
}
