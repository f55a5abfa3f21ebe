//! `GET /v1/events`

use actix_web::{HttpRequest, HttpResponse, web};
use oncharge_application::webhooks::events::{self, ListEvents};

use super::body::EventBody;
use crate::{
    Api,
    error_responses::ReadErrors,
    gate::ListCaller,
    problem::Problem,
    query::Query,
    v1::response::{self, Page},
};

/// List events
///
/// Newest first; pages are stable while events are added. Events are listed even if no endpoint is
/// set.
#[utoipa::path(
    get,
    path = "/v1/events",
    tag = "Webhooks",
    operation_id = "listEvents",
    params(
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 100,
            description = "Maximum number of items; default 20."),
        ("cursor" = Option<String>, Query, min_length = 1,
            description = "`next_cursor` of the previous page."),
        ("session_id" = Option<String>, Query, description = "Only events of this session."),
        ("type" = Option<crate::schema::EventType>, Query, description =
            "Only events of this type."),
    ),
    responses((status = 200, body = Page<EventBody>, description = "One page."), ReadErrors),
)]
pub(crate) async fn list(
    api: web::Data<Api>,
    ListCaller(merchant): ListCaller,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let names = ["limit", "cursor", "session_id", "type"];
    let query = Query::parse(request.query_string(), &names)?;
    let wanted = ListEvents {
        limit: query.limit()?,
        cursor: query.text("cursor").map(str::to_owned),
        session_id: query.text("session_id").map(str::to_owned),
        kind: query.event_kind()?,
    };
    let listed = events::list(api.app(), merchant.id, wanted).await?;
    Ok(HttpResponse::Ok().json(response::page(&listed, |event| EventBody::from(event))))
}
