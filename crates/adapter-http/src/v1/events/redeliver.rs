//! `POST /v1/events/{id}/redeliver`

use actix_web::{HttpResponse, web};
use oncharge_application::webhooks::redeliver;

use super::body::EventBody;
use crate::{
    Api,
    error_responses::{CommandErrors, PostErrors},
    gate::post::Command,
    problem::Problem,
    v1::response,
};

/// Deliver an event again
///
/// To the endpoint that is set now, at once and with all its tries before it, whether or not it
/// was delivered before. `invalid_state` where there is no endpoint, or it is disabled.
#[utoipa::path(
    post,
    path = "/v1/events/{id}/redeliver",
    tag = "Webhooks",
    operation_id = "redeliverEvent",
    params(
        ("id" = String, Path, description = "The event's id."),
        ("Idempotency-Key" = Option<crate::schema::IdempotencyKey>, Header,
            description = "The same request under the same key is done once."),
    ),
    request_body = Option<crate::schema::Empty>,
    responses(
        (status = 202, body = EventBody, description = "The event; it is on its way."),
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
    Ok(response::reply(reply))
}
