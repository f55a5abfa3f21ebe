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

/// How much to capture.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the body, which is read field by field")]
pub(crate) struct NewCapture {
    /// Minor units, at most what was authorized; all of it where absent.
    #[schema(minimum = 1, maximum = 99_999_999_999_i64)]
    amount: Option<i64>,
}

/// Capture an authorized payment
///
/// Only while the session is `authorized`, once a session. A partial capture releases the rest.
#[utoipa::path(
    post,
    path = "/v1/checkout/sessions/{id}/capture",
    tag = "Checkout sessions",
    operation_id = "captureSession",
    params(
        ("id" = String, Path, description = "The session's id."),
        ("Idempotency-Key" = Option<crate::schema::IdempotencyKey>, Header,
            description = "The same request under the same key is done once."),
    ),
    request_body = Option<NewCapture>,
    responses(
        (status = 200, body = SessionBody, description = "The session."),
        (status = 202, body = SessionBody, description = "Taken in; the outcome comes later."),
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
