//! Renders answers to merchants' `POST`s as JSON, also where recovery finishes a request and no
//! request is at hand, and the bodies of webhooks.

use actix_web::http::StatusCode;
use oncharge_domain::time::Timestamp;
use oncharge_ports::{Presentable, Presenter, RememberedAnswer, Told};
use serde::Serialize;

use crate::{
    problem::psp_rejected,
    v1::{
        api_keys::rotate::RotatedBody,
        events::{
            attempt::AttemptBody,
            body::{EventBody, TestBody},
        },
        refunds::body::OrderedBody,
        sessions::body::{CreatedBody, SessionBody},
        webhook_endpoint::body::EndpointBody,
    },
};

/// The presenter of the merchant API.
#[derive(Debug, Clone, Copy, Default)]
pub struct JsonPresenter;

impl Presenter for JsonPresenter {
    fn present(
        &self,
        answer: &Presentable<'_>,
        request_id: &str,
        now: Timestamp,
    ) -> RememberedAnswer {
        let (status, body) = match answer {
            Presentable::Created(session, token) => {
                (StatusCode::CREATED, json(&CreatedBody::new(session, token)))
            }
            Presentable::Done(session) => (StatusCode::OK, json(&SessionBody::at(session, now))),
            Presentable::Accepted(session) => {
                (StatusCode::ACCEPTED, json(&SessionBody::at(session, now)))
            }
            Presentable::RefundOrdered(refund) => (
                StatusCode::CREATED,
                json(&OrderedBody::acknowledging(refund)),
            ),
            Presentable::PspRejected => psp_rejected(request_id),
            Presentable::PairRotated {
                api_key,
                api_secret,
                replaced,
            } => (
                StatusCode::CREATED,
                json(&RotatedBody::new(api_key, api_secret, replaced)),
            ),
            Presentable::SecretRotated(endpoint) => {
                (StatusCode::OK, json(&EndpointBody::with_secret(endpoint)))
            }
            Presentable::Redelivering(event) => {
                (StatusCode::ACCEPTED, json(&EventBody::from(*event)))
            }
            Presentable::Tested(attempt) => (StatusCode::OK, json(&AttemptBody::from(*attempt))),
        };
        RememberedAnswer {
            status: status.as_u16(),
            content_type: "application/json".to_owned(),
            body,
        }
    }

    fn webhook(&self, told: &Told<'_>) -> Vec<u8> {
        match told {
            Told::Event(event) => json(&EventBody::from(*event)),
            Told::Test { id, at } => json(&TestBody::new(*id, *at)),
        }
    }
}

/// Texts, numbers and maps with text keys: writing them cannot fail, and if it did, an answer
/// without a body must not stop the money.
fn json(body: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(body).unwrap_or_default()
}
