//! `POST /checkout/{id}/abandon`

use actix_web::{HttpRequest, HttpResponse, web};
use oncharge_application::checkout::{ShopperState, abandon};

use super::{page, shopper};
use crate::{
    Api, error_responses::ShopperErrors, limits::ShopperAction, problem::Problem,
    request_body::Empty,
};

/// Abandon an open challenge
///
/// The shopper can then use another card.
#[utoipa::path(
    post,
    path = "/checkout/{id}/abandon",
    tag = "Shopper",
    operation_id = "abandon",
    params(("id" = String, Path, description = "The session's id.")),
    request_body = Option<Empty>,
    responses(
        (status = 200, body = page::ShopperState, description = "The state of the payment."),
        ShopperErrors,
    ),
    security(("pay_token" = [])),
)]
pub(crate) async fn abandon(
    api: web::Data<Api>,
    request: HttpRequest,
    payload: web::Payload,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let outcome = run(&api, &request, payload, &id).await;
    shopper::respond(&api, &request, outcome)
}

async fn run(
    api: &Api,
    request: &HttpRequest,
    payload: web::Payload,
    id: &str,
) -> Result<ShopperState, Problem> {
    let call =
        shopper::check_call::<Empty>(api, request, payload, id, ShopperAction::Abandon).await?;
    Ok(abandon::abandon(api.app(), id, call.token).await?)
}
