//! Renders API responses as one line of text, so that tests of use cases need no HTTP.

use oncharge_domain::{time::Timestamp, webhook::SendError};
use oncharge_ports::{ApiResponse, Presenter, StoredResponse, WebhookPayload};

/// Renders `201 created cs_…` and similar; the statuses are those of the merchant API.
#[derive(Debug, Clone, Copy, Default)]
pub struct PlainPresenter;

impl Presenter for PlainPresenter {
    fn render(
        &self,
        response: &ApiResponse<'_>,
        request_id: &str,
        now: Timestamp,
    ) -> StoredResponse {
        let (status, body) = match response {
            ApiResponse::Created(session, token) => {
                (201, format!("created {} {}", session.id, token.expose()))
            }
            ApiResponse::Done(session) => {
                let name = session.status_at(now).name();
                (200, format!("done {} {name}", session.id))
            }
            ApiResponse::Accepted(session) => {
                let name = session.status_at(now).name();
                (202, format!("accepted {} {name}", session.id))
            }
            ApiResponse::RefundRequested(refund) => {
                let name = refund.status.name();
                (201, format!("refund {} {name}", refund.id))
            }
            ApiResponse::KeyRotated {
                api_key,
                api_secret,
                replaced,
            } => (
                201,
                format!("rotated {api_key} {api_secret} for {}", replaced.id),
            ),
            ApiResponse::SecretRotated(endpoint) => {
                let secret = endpoint.secrets.current.text();
                (200, format!("secret {}", *secret))
            }
            ApiResponse::Redelivering(stored) => (202, format!("redelivering {}", stored.id)),
            ApiResponse::Tested(attempt) => {
                let error = attempt.error.map(SendError::name);
                (200, format!("tested {:?} {error:?}", attempt.status))
            }
            ApiResponse::PspRejected => (409, format!("psp_rejected {request_id}")),
        };
        StoredResponse {
            status,
            content_type: "text/plain".to_owned(),
            body: body.into_bytes(),
        }
    }

    /// Renders `payment.captured evt_… of cs_… number 2`, and `endpoint.test evt_…`.
    fn render_webhook(&self, payload: &WebhookPayload<'_>) -> Vec<u8> {
        let text = match payload {
            WebhookPayload::Event(stored) => {
                let (event, id) = (&stored.event, stored.id);
                let (kind, sequence) = (event.kind.name(), event.sequence);
                format!("{kind} {id} of {} number {sequence}", event.session)
            }
            WebhookPayload::Test { id, .. } => format!("endpoint.test {id}"),
        };
        text.into_bytes()
    }
}
