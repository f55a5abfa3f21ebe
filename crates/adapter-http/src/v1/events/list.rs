//! `GET /v1/events`

use actix_web::{HttpResponse, web};
use oncharge_application::webhooks::events::{self, ListEvents};
use oncharge_domain::session::EventKind;

use crate::{
    Api,
    error_responses::ReadErrors,
    gate::ListRequest,
    problem::Problem,
    query::{PageLimit, query_parameters},
    render::{event::EventBody, page::Page},
};

query_parameters! {
    pub(crate) struct EventQuery {
        /// Maximum number of items; default 20.
        #[param(value_type = Option<u32>, minimum = 1, maximum = 100)]
        limit: PageLimit,
        /// `next_cursor` of the previous page.
        #[param(min_length = 1)]
        cursor: Option<String>,
        /// Only events of this session.
        session_id: Option<String>,
        /// Only events of this type.
        #[param(value_type = Option<crate::schema::EventType>)]
        r#type: Option<EventKind>,
    }
}

/// List events
///
/// Newest first; pages are stable while events are added. Events are listed even if no endpoint is
/// set.
#[utoipa::path(
    get,
    path = "/v1/events",
    tag = "Webhooks",
    operation_id = "listEvents",
    params(EventQuery),
    responses((status = 200, body = Page<EventBody>, description = "One page."), ReadErrors),
)]
pub(crate) async fn list(
    api: web::Data<Api>,
    ListRequest { merchant, query }: ListRequest<EventQuery>,
) -> Result<HttpResponse, Problem> {
    let wanted = ListEvents {
        limit: query.limit.0,
        cursor: query.cursor,
        session_id: query.session_id,
        kind: query.r#type,
    };
    let listed = events::list(api.app(), merchant.id, wanted).await?;
    Ok(HttpResponse::Ok().json(Page::new(&listed, |event| EventBody::from(event))))
}
