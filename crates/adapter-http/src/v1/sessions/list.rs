//! `GET /v1/checkout/sessions`

use actix_web::{HttpRequest, HttpResponse, web};
use oncharge_application::checkout::list::{self, ListSessions};

use super::body::SessionBody;
use crate::{
    Api,
    error_responses::ReadErrors,
    gate::ListCaller,
    problem::Problem,
    query::Query,
    v1::response::{self, Page},
};

const NAMES: [&str; 8] = [
    "limit",
    "cursor",
    "status",
    "reference",
    "order_id",
    "psp_reference",
    "created_after",
    "created_before",
];

/// List checkout sessions
///
/// Newest first; pages are stable while sessions are added.
#[utoipa::path(
    get,
    path = "/v1/checkout/sessions",
    tag = "Checkout sessions",
    operation_id = "listSessions",
    params(
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 100,
            description = "Maximum number of items; default 20."),
        ("cursor" = Option<String>, Query, min_length = 1,
            description = "`next_cursor` of the previous page."),
        ("status" = Option<crate::schema::SessionStatus>, Query,
            description = "Only sessions with this current status."),
        ("reference" = Option<String>, Query, min_length = 1, max_length = 255,
            description = "Only sessions with exactly this reference."),
        ("order_id" = Option<String>, Query, min_length = 1, max_length = 255,
            description = "Only sessions with exactly this order number."),
        ("psp_reference" = Option<String>, Query, min_length = 1, max_length = 255,
            description =
                "Only sessions with this PSP reference, of the payment or of its capture, cancel \
                 or refund."),
        ("created_after" = Option<String>, Query, format = DateTime,
            description = "Only sessions created at or after this time."),
        ("created_before" = Option<String>, Query, format = DateTime,
            description = "Only sessions created before this time."),
    ),
    responses((status = 200, body = Page<SessionBody>, description = "One page."), ReadErrors),
)]
pub(crate) async fn list(
    api: web::Data<Api>,
    ListCaller(merchant): ListCaller,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let wanted = read(request.query_string())?;
    let listed = list::list(api.app(), merchant.id, wanted).await?;
    let now = api.app().now();
    let page = response::page(&listed, |session| SessionBody::at(session, now));
    Ok(HttpResponse::Ok().json(page))
}

fn read(query: &str) -> Result<ListSessions, Problem> {
    let query = Query::parse(query, &NAMES)?;
    Ok(ListSessions {
        limit: query.limit()?,
        cursor: query.text("cursor").map(str::to_owned),
        status: query.status()?,
        reference: query.reference()?,
        order_id: query.order_id()?,
        psp_reference: query.psp_reference()?,
        created_after: query.time("created_after")?,
        created_before: query.time("created_before")?,
    })
}
