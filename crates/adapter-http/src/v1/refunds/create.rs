//! `POST /v1/refunds`

use actix_web::{HttpResponse, web};
use oncharge_application::refunds::request::{self, NewRefund};
use oncharge_domain::money::Money;
use utoipa::ToSchema;

use super::body::OrderedRefundBody;
use crate::{
    Api,
    error_responses::{PostErrors, RefundErrors},
    fields::{FieldReader, JsonBody, amount, currency, reference, text},
    gate::post::Post,
    problem::Problem,
    request_log::log_session,
    v1::response,
};

/// A new refund. Unknown members are ignored.
#[derive(ToSchema)]
#[schema(as = NewRefund)]
#[expect(dead_code, reason = "describes the body, which is read field by field")]
pub(crate) struct NewRefundBody {
    /// The id of the captured session.
    session_id: String,
    /// Minor units, at most the session's `amount_refundable`.
    #[schema(minimum = 1, maximum = 99_999_999_999_i64, example = 5000)]
    amount: i64,
    /// The session's currency.
    #[schema(schema_with = crate::schema::currencies)]
    currency: String,
    /// Your own reference. No control characters.
    #[schema(schema_with = crate::schema::reference)]
    reference: String,
}

/// Request a refund
///
/// The response acknowledges the request; `GET /v1/refunds/{id}` returns the outcome.
#[utoipa::path(
    post,
    path = "/v1/refunds",
    tag = "Refunds",
    operation_id = "createRefund",
    params(("Idempotency-Key" = Option<crate::schema::IdempotencyKey>, Header,
            description = "The same request with the same key is executed once.")),
    request_body = NewRefundBody,
    responses((status = 201, body = OrderedRefundBody, description = "Ordered."), PostErrors, RefundErrors),
)]
pub(crate) async fn create(api: web::Data<Api>, post: Post) -> Result<HttpResponse, Problem> {
    let new = read(&post.body)?;
    if let Ok(session) = new.session_id.parse() {
        log_session(session);
    }
    let reply = request::request(api.app(), post.context, new).await?;
    Ok(response::reply(reply))
}

fn read(body: &JsonBody) -> Result<NewRefund, Problem> {
    let mut fields = FieldReader::of(body);
    let session_id = fields.required("session_id", |value| text(value).map(str::to_owned));
    let minor = fields.required("amount", amount);
    let currency = fields.required("currency", currency);
    let reference = fields.required("reference", reference);
    let money = minor
        .zip(currency)
        .and_then(|(minor, currency)| Money::new(minor, currency).ok());
    let ((session_id, amount), reference) = fields.finish(session_id.zip(money).zip(reference))?;
    Ok(NewRefund {
        session_id,
        amount,
        reference,
    })
}
