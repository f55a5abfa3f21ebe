//! The wire types of all responses and webhooks, and the presenter, which renders them as JSON also
//! when recovery completes an operation without a request.

pub(crate) mod api_key;
pub(crate) mod delivery_attempt;
pub(crate) mod event;
mod failure;
pub(crate) mod page;
mod payment_attempt;
pub(crate) mod refund;
pub(crate) mod session;
pub(crate) mod shopper_state;
pub(crate) mod webhook_endpoint;

use actix_web::{
    HttpResponse,
    http::{StatusCode, header::CONTENT_TYPE},
};
use oncharge_application::Reply;
use oncharge_domain::time::Timestamp;
use oncharge_ports::{ApiResponse, Presenter, StoredResponse, WebhookPayload};
use serde::Serialize;

use self::{
    api_key::RotatedPairBody,
    delivery_attempt::AttemptBody,
    event::{EventBody, TestBody},
    refund::RequestedRefundBody,
    session::{CreatedSessionBody, SessionBody},
    webhook_endpoint::EndpointBody,
};
use crate::problem::psp_rejected;

/// The presenter of the merchant API.
#[derive(Debug, Clone, Copy, Default)]
pub struct JsonPresenter;

impl Presenter for JsonPresenter {
    fn render(
        &self,
        response: &ApiResponse<'_>,
        request_id: &str,
        now: Timestamp,
    ) -> StoredResponse {
        let (status, body) = match response {
            ApiResponse::Created(session, token) => (
                StatusCode::CREATED,
                json(&CreatedSessionBody::new(session, token)),
            ),
            ApiResponse::Done(session) => (StatusCode::OK, json(&SessionBody::at(session, now))),
            ApiResponse::Accepted(session) => {
                (StatusCode::ACCEPTED, json(&SessionBody::at(session, now)))
            }
            ApiResponse::RefundRequested(refund) => (
                StatusCode::CREATED,
                json(&RequestedRefundBody::acknowledgment(refund)),
            ),
            ApiResponse::PspRejected => psp_rejected(request_id),
            ApiResponse::KeyRotated {
                api_key,
                api_secret,
                replaced,
            } => (
                StatusCode::CREATED,
                json(&RotatedPairBody::new(api_key, api_secret, replaced)),
            ),
            ApiResponse::SecretRotated(endpoint) => {
                (StatusCode::OK, json(&EndpointBody::with_secret(endpoint)))
            }
            ApiResponse::Redelivering(event) => {
                (StatusCode::ACCEPTED, json(&EventBody::from(*event)))
            }
            ApiResponse::Tested(attempt) => (StatusCode::OK, json(&AttemptBody::from(*attempt))),
        };
        StoredResponse {
            status: status.as_u16(),
            content_type: "application/json".to_owned(),
            body,
        }
    }

    fn render_webhook(&self, payload: &WebhookPayload<'_>) -> Vec<u8> {
        match payload {
            WebhookPayload::Event(event) => json(&EventBody::from(*event)),
            WebhookPayload::Test { id, at } => json(&TestBody::new(*id, *at)),
        }
    }
}

/// Serializing texts, numbers and maps with text keys cannot fail; if it did, an empty response
/// must not block the payment.
fn json(body: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(body).unwrap_or_default()
}

/// The rendered or stored response to a `POST`, byte for byte.
pub(crate) fn reply(reply: Reply) -> HttpResponse {
    let Reply {
        response: stored,
        replayed,
    } = reply;
    let status = StatusCode::from_u16(stored.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::build(status);
    response.insert_header((CONTENT_TYPE, stored.content_type));
    if replayed {
        response.insert_header(("Idempotency-Replayed", "true"));
    }
    response.body(stored.body)
}
