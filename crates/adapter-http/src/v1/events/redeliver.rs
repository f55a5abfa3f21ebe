//! `POST /v1/events/{id}/redeliver`

use actix_web::{HttpResponse, web};
use oncharge_application::webhooks::redeliver;

use crate::{
    Api,
    error_responses::{CommandErrors, PostErrors},
    gate::post::Command,
    problem::Problem,
    render::{self, event::EventBody},
    request_body::Empty,
};

/// Deliver an event again
///
/// Sends the event to the current endpoint at once, with a full set of retries, even if it was
/// delivered before. Returns `invalid_state` if there is no endpoint or it is disabled.
#[utoipa::path(
    post,
    path = "/v1/events/{id}/redeliver",
    tag = "Webhooks",
    operation_id = "redeliverEvent",
    params(
        ("id" = String, Path, description = "The event's id."),
        crate::schema::IdempotencyHeader,
    ),
    request_body = Option<Empty>,
    responses(
        (status = 202, body = EventBody, description = "The event, queued for delivery."),
        PostErrors,
        CommandErrors,
    ),
)]
pub(crate) async fn redeliver(
    api: web::Data<Api>,
    Command(post): Command,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let reply = redeliver::redeliver(api.app(), post.context, &id).await?;
    Ok(render::reply(reply))
}
