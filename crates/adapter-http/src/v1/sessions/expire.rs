//! `POST /v1/checkout/sessions/{id}/expire`

use actix_web::{HttpResponse, web};
use oncharge_application::checkout::expire;

use crate::{
    Api,
    error_responses::{CommandErrors, PostErrors},
    gate::post::Command,
    problem::Problem,
    render::{self, session::SessionBody},
    request_body::Empty,
};

/// Expire an unpaid session
///
/// Only while the session is unpaid: `created`, or `refused` or `error` with `retry_until` set.
#[utoipa::path(
    post,
    path = "/v1/checkout/sessions/{id}/expire",
    tag = "Checkout sessions",
    operation_id = "expireSession",
    params(
        ("id" = String, Path, description = "The session's id."),
        crate::schema::IdempotencyHeader,
    ),
    request_body = Option<Empty>,
    responses(
        (status = 200, body = SessionBody, description = "The session."),
        PostErrors,
        CommandErrors,
    ),
)]
pub(crate) async fn expire(
    api: web::Data<Api>,
    Command(post): Command,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let reply = expire::expire(api.app(), post.context, &id).await?;
    Ok(render::reply(reply))
}
