//! `GET /checkout/{id}/status`

use actix_web::{HttpRequest, HttpResponse, web};
use oncharge_application::checkout::{ShopperState, shopper_view};

use super::{page, shopper};
use crate::{Api, error_responses::ShopperErrors, problem::Problem};

/// How far the payment is
///
/// After a reload, the page resumes from this state.
#[utoipa::path(
    get,
    path = "/checkout/{id}/status",
    tag = "Shopper",
    operation_id = "shopperStatus",
    params(("id" = String, Path, description = "The session's id.")),
    responses(
        (status = 200, body = page::ShopperState, description = "The state of the payment."),
        ShopperErrors,
    ),
    security(("pay_token" = [])),
)]
pub(crate) async fn status(
    api: web::Data<Api>,
    request: HttpRequest,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let outcome = run(&api, &request, &id).await;
    shopper::respond(&api, &request, outcome)
}

async fn run(api: &Api, request: &HttpRequest, id: &str) -> Result<ShopperState, Problem> {
    let token = shopper::bearer_token(request.headers())?;
    Ok(shopper_view::status(api.app(), id, token).await?)
}
