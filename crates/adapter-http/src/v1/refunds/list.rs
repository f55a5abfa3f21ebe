//! `GET /v1/refunds`

use actix_web::{HttpRequest, HttpResponse, web};
use oncharge_application::refunds::list::{self, ListRefunds};

use super::body::RefundBody;
use crate::{
    Api,
    error_responses::ReadErrors,
    gate::ListCaller,
    problem::Problem,
    query::Query,
    v1::response::{self, Page},
};

/// List refunds
///
/// Newest first; pages are stable while refunds are added.
#[utoipa::path(
    get,
    path = "/v1/refunds",
    tag = "Refunds",
    operation_id = "listRefunds",
    params(
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 100,
            description = "Maximum number of items; default 20."),
        ("cursor" = Option<String>, Query, min_length = 1,
            description = "`next_cursor` of the previous page."),
        ("session_id" = Option<String>, Query, description = "Only refunds of this session."),
    ),
    responses((status = 200, body = Page<RefundBody>, description = "One page."), ReadErrors),
)]
pub(crate) async fn list(
    api: web::Data<Api>,
    ListCaller(merchant): ListCaller,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let query = Query::parse(request.query_string(), &["limit", "cursor", "session_id"])?;
    let wanted = ListRefunds {
        limit: query.limit()?,
        cursor: query.text("cursor").map(str::to_owned),
        session_id: query.text("session_id").map(str::to_owned),
    };
    let listed = list::list(api.app(), merchant.id, wanted).await?;
    Ok(HttpResponse::Ok().json(response::page(&listed, |refund| RefundBody::from(refund))))
}
