//! `POST /v1/checkout/sessions/{id}/capture`

use actix_web::{HttpResponse, web};
use oncharge_application::checkout::capture;

use crate::{
    Api,
    error_responses::{CaptureErrors, PostErrors},
    gate::post::Command,
    problem::Problem,
    render::{self, session::SessionBody},
    request_body::{request_body, values::MinorUnits},
};

request_body! {
    /// The amount to capture.
    pub(crate) struct NewCapture {
        /// Minor units, at most the authorized amount; default: all of it.
        #[schema(value_type = Option<i64>, minimum = 1, maximum = 99_999_999_999_i64)]
        amount: Option<MinorUnits>,
    }
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
        crate::schema::IdempotencyHeader,
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
    Command(post): Command<NewCapture>,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let amount = post.body.amount.map(MinorUnits::get);
    let reply = capture::capture(api.app(), post.context, &id, amount).await?;
    Ok(render::reply(reply))
}
