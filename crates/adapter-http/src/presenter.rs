//! Renders responses to merchants' `POST`s as JSON, also when recovery completes an operation
//! without a request, and the bodies of webhooks.

use actix_web::http::StatusCode;
use oncharge_domain::time::Timestamp;
use oncharge_ports::{ApiResponse, Presenter, StoredResponse, WebhookPayload};
use serde::Serialize;

use crate::{
    problem::psp_rejected,
    v1::{
        api_keys::rotate::RotatedPairBody,
        events::{
            attempt::AttemptBody,
            body::{EventBody, TestBody},
        },
        refunds::body::OrderedRefundBody,
        sessions::body::{CreatedSessionBody, SessionBody},
        webhook_endpoint::body::EndpointBody,
    },
};

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
                json(&OrderedRefundBody::acknowledgment(refund)),
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
