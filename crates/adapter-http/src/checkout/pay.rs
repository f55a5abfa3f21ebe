//! `POST /checkout/{id}/pay`

use actix_web::{HttpRequest, HttpResponse, web};
use oncharge_application::checkout::{ShopperState, pay};

use super::{page, shopper};
use crate::{
    Api,
    error_responses::{PayErrors, ShopperErrors},
    limits::ShopperAction,
    problem::Problem,
    request_body::{request_body, values::Ignored},
};

request_body! {
    /// The shopper's payment method.
    pub(crate) struct Payment {
        /// The one-time token issued by the processor's card fields. It identifies the attempt.
        #[schema(min_length = 1, max_length = 255)]
        payment_method: String,
        /// Signals of the shopper's browser.
        #[schema(value_type = Option<Object>)]
        #[expect(dead_code, reason = "accepted, not used")]
        client: Option<Ignored>,
    }
}

/// Pay
///
/// Repeating the same `payment_method` returns the current state and starts nothing.
#[utoipa::path(
    post,
    path = "/checkout/{id}/pay",
    tag = "Shopper",
    operation_id = "pay",
    params(("id" = String, Path, description = "The session's id.")),
    request_body = Payment,
    responses(
        (status = 200, body = page::ShopperState, description = "The state of the payment."),
        ShopperErrors, PayErrors,
    ),
    security(("pay_token" = [])),
)]
pub(crate) async fn pay(
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
        shopper::check_call::<Payment>(api, request, payload, id, ShopperAction::Pay).await?;
    Ok(pay::pay(api.app(), id, call.token, call.body.payment_method).await?)
}
