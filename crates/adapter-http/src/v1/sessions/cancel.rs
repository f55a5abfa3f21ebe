//! `POST /v1/checkout/sessions/{id}/cancel`

use actix_web::{HttpResponse, web};
use oncharge_application::checkout::cancel;

use crate::{
    Api,
    error_responses::{CancelErrors, PostErrors},
    gate::post::Command,
    problem::Problem,
    render::{self, session::SessionBody},
    request_body::Empty,
};

/// Cancel an authorized payment
///
/// Only while the session is `authorized`.
#[utoipa::path(
    post,
    path = "/v1/checkout/sessions/{id}/cancel",
    tag = "Checkout sessions",
    operation_id = "cancelSession",
    params(
        ("id" = String, Path, description = "The session's id."),
        crate::schema::IdempotencyHeader,
    ),
    request_body = Option<Empty>,
    responses(
        (status = 200, body = SessionBody, description = "The session."),
        (status = 202, body = SessionBody, description = "Accepted; the outcome follows later."),
        PostErrors,
        CancelErrors,
    ),
)]
pub(crate) async fn cancel(
    api: web::Data<Api>,
    Command(post): Command,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let reply = cancel::cancel(api.app(), post.context, &id).await?;
    Ok(render::reply(reply))
}
