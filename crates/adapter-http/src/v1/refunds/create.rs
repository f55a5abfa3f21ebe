//! `POST /v1/refunds`

use actix_web::{HttpResponse, web};
use oncharge_application::refunds::request::{self, NewRefund};
use oncharge_domain::{currency::Currency, text::Reference};

use crate::{
    Api,
    error_responses::{PostErrors, RefundErrors},
    gate::post::Post,
    problem::Problem,
    render::{self, refund::RequestedRefundBody},
    request_body::{request_body, values::MinorUnits},
    request_log::log_session,
};

request_body! {
    /// A new refund. Unknown members are ignored.
    #[schema(as = NewRefund)]
    pub(crate) struct NewRefundBody {
        /// The id of the captured session.
        session_id: String,
        /// Minor units, at most the session's `amount_refundable`.
        #[schema(value_type = i64, minimum = 1, maximum = 99_999_999_999_i64, example = 5000)]
        amount: MinorUnits,
        /// The session's currency.
        #[schema(schema_with = crate::schema::currencies)]
        currency: Currency,
        /// Your own reference. No control characters.
        #[schema(schema_with = crate::schema::reference)]
        reference: Reference,
    }
}

impl TryFrom<NewRefundBody> for NewRefund {
    type Error = Problem;

    fn try_from(new: NewRefundBody) -> Result<Self, Problem> {
        Ok(Self {
            session_id: new.session_id,
            amount: new.amount.of(new.currency)?,
            reference: new.reference,
        })
    }
}

/// Request a refund
///
/// The response acknowledges the request; `GET /v1/refunds/{id}` returns the outcome.
#[utoipa::path(
    post,
    path = "/v1/refunds",
    tag = "Refunds",
    operation_id = "createRefund",
    params(crate::schema::IdempotencyHeader),
    request_body = NewRefundBody,
    responses((status = 201, body = RequestedRefundBody, description = "The refund is requested."), PostErrors, RefundErrors),
)]
pub(crate) async fn create(
    api: web::Data<Api>,
    post: Post<NewRefundBody>,
) -> Result<HttpResponse, Problem> {
    let new = NewRefund::try_from(post.body)?;
    if let Ok(session) = new.session_id.parse() {
        log_session(session);
    }
    let reply = request::request(api.app(), post.context, new).await?;
    Ok(render::reply(reply))
}
