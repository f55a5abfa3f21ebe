//! `GET /v1/checkout/sessions`

use actix_web::{HttpResponse, web};
use oncharge_application::checkout::list::{self, ListSessions};
use oncharge_domain::{
    psp::PspReference,
    session::StatusName,
    text::{OrderId, Reference},
    time::Timestamp,
};

use crate::{
    Api,
    error_responses::ReadErrors,
    gate::ListRequest,
    problem::Problem,
    query::{PageLimit, query_parameters},
    render::{page::Page, session::SessionBody},
};

query_parameters! {
    pub(crate) struct SessionQuery {
        /// Maximum number of items; default 20.
        #[param(value_type = Option<u32>, minimum = 1, maximum = 100)]
        limit: PageLimit,
        /// `next_cursor` of the previous page.
        #[param(min_length = 1)]
        cursor: Option<String>,
        /// Only sessions with this current status.
        #[param(value_type = Option<crate::schema::SessionStatus>)]
        status: Option<StatusName>,
        /// Only sessions with exactly this reference.
        #[param(value_type = Option<String>, min_length = 1, max_length = 255)]
        reference: Option<Reference>,
        /// Only sessions with exactly this order number.
        #[param(value_type = Option<String>, min_length = 1, max_length = 255)]
        order_id: Option<OrderId>,
        /// Only sessions with this reference of the processor: of the payment or of its capture, cancel or refund.
        #[param(value_type = Option<String>, min_length = 1, max_length = 255)]
        psp_reference: Option<PspReference>,
        /// Only sessions created at or after this time.
        #[param(value_type = Option<String>, format = DateTime)]
        created_after: Option<Timestamp>,
        /// Only sessions created before this time.
        #[param(value_type = Option<String>, format = DateTime)]
        created_before: Option<Timestamp>,
    }
}

impl From<SessionQuery> for ListSessions {
    fn from(query: SessionQuery) -> Self {
        Self {
            limit: query.limit.0,
            cursor: query.cursor,
            status: query.status,
            reference: query.reference,
            order_id: query.order_id,
            psp_reference: query.psp_reference,
            created_after: query.created_after,
            created_before: query.created_before,
        }
    }
}

/// List checkout sessions
///
/// Newest first; pages are stable while sessions are added.
#[utoipa::path(
    get,
    path = "/v1/checkout/sessions",
    tag = "Checkout sessions",
    operation_id = "listSessions",
    params(SessionQuery),
    responses((status = 200, body = Page<SessionBody>, description = "One page."), ReadErrors),
)]
pub(crate) async fn list(
    api: web::Data<Api>,
    ListRequest { merchant, query }: ListRequest<SessionQuery>,
) -> Result<HttpResponse, Problem> {
    let listed = list::list(api.app(), merchant.id, query.into()).await?;
    let now = api.app().now();
    let page = Page::new(&listed, |session| SessionBody::at(session, now));
    Ok(HttpResponse::Ok().json(page))
}
