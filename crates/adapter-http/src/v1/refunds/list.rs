//! `GET /v1/refunds`

use actix_web::{HttpResponse, web};
use oncharge_application::refunds::list::{self, ListRefunds};

use crate::{
    Api,
    error_responses::ReadErrors,
    gate::ListRequest,
    problem::Problem,
    query::{PageLimit, query_parameters},
    render::{page::Page, refund::RefundBody},
};

query_parameters! {
    pub(crate) struct RefundQuery {
        /// Maximum number of items; default 20.
        #[param(value_type = Option<u32>, minimum = 1, maximum = 100)]
        limit: PageLimit,
        /// `next_cursor` of the previous page.
        #[param(min_length = 1)]
        cursor: Option<String>,
        /// Only refunds of this session.
        session_id: Option<String>,
    }
}

/// List refunds
///
/// Newest first; pages are stable while refunds are added.
#[utoipa::path(
    get,
    path = "/v1/refunds",
    tag = "Refunds",
    operation_id = "listRefunds",
    params(RefundQuery),
    responses((status = 200, body = Page<RefundBody>, description = "One page."), ReadErrors),
)]
pub(crate) async fn list(
    api: web::Data<Api>,
    ListRequest { merchant, query }: ListRequest<RefundQuery>,
) -> Result<HttpResponse, Problem> {
    let wanted = ListRefunds {
        limit: query.limit.0,
        cursor: query.cursor,
        session_id: query.session_id,
    };
    let listed = list::list(api.app(), merchant.id, wanted).await?;
    Ok(HttpResponse::Ok().json(Page::new(&listed, |refund| RefundBody::from(refund))))
}
