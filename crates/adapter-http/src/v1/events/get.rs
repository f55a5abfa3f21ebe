//! `GET /v1/events/{id}`

use actix_web::{HttpResponse, web};
use oncharge_application::webhooks::events;

use crate::{
    Api,
    error_responses::ReadErrors,
    gate::Caller,
    problem::Problem,
    render::{
        delivery_attempt::AttemptBody,
        event::{EventBody, EventWithAttempts},
    },
};

/// Retrieve an event
///
/// Includes every delivery attempt.
#[utoipa::path(
    get,
    path = "/v1/events/{id}",
    tag = "Webhooks",
    operation_id = "getEvent",
    params(("id" = String, Path, description = "The event's id.")),
    responses((status = 200, body = EventWithAttempts, description = "The event."), ReadErrors),
)]
pub(crate) async fn get(
    api: web::Data<Api>,
    Caller(merchant): Caller,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let (event, attempts) = events::get(api.app(), merchant.id, &id).await?;
    let attempts = attempts.iter().map(AttemptBody::from).collect();
    let body = EventWithAttempts::new(EventBody::from(&event), attempts);
    Ok(HttpResponse::Ok().json(body))
}
