//! Answers as one line of text, so that tests of use cases need no HTTP.

use oncharge_domain::{time::Timestamp, webhook::SendError};
use oncharge_ports::{Presentable, Presenter, RememberedAnswer, Told};

/// Renders `201 created cs_…` and the like; the statuses are those of the merchant API.
#[derive(Debug, Clone, Copy, Default)]
pub struct PlainPresenter;

impl Presenter for PlainPresenter {
    fn present(
        &self,
        answer: &Presentable<'_>,
        request_id: &str,
        now: Timestamp,
    ) -> RememberedAnswer {
        let (status, body) = match answer {
            Presentable::Created(session, token) => {
                (201, format!("created {} {}", session.id, token.expose()))
            }
            Presentable::Done(session) => {
                let name = session.status_at(now).name();
                (200, format!("done {} {name}", session.id))
            }
            Presentable::Accepted(session) => {
                let name = session.status_at(now).name();
                (202, format!("accepted {} {name}", session.id))
            }
            Presentable::RefundOrdered(refund) => {
                let name = refund.status.name();
                (201, format!("refund {} {name}", refund.id))
            }
            Presentable::PairRotated {
                api_key,
                api_secret,
                replaced,
            } => (
                201,
                format!("rotated {api_key} {api_secret} for {}", replaced.id),
            ),
            Presentable::SecretRotated(endpoint) => {
                let secret = endpoint.secrets.current.text();
                (200, format!("secret {}", *secret))
            }
            Presentable::Redelivering(stored) => (202, format!("redelivering {}", stored.id)),
            Presentable::Tested(attempt) => {
                let error = attempt.error.map(SendError::name);
                (200, format!("tested {:?} {error:?}", attempt.status))
            }
            Presentable::PspRejected => (409, format!("psp_rejected {request_id}")),
        };
        RememberedAnswer {
            status,
            content_type: "text/plain".to_owned(),
            body: body.into_bytes(),
        }
    }

    /// `payment.captured evt_… of cs_… number 2`, and `endpoint.test evt_…`.
    fn webhook(&self, told: &Told<'_>) -> Vec<u8> {
        let text = match told {
            Told::Event(stored) => {
                let (event, id) = (&stored.event, stored.id);
                let (kind, sequence) = (event.kind.name(), event.sequence);
                format!("{kind} {id} of {} number {sequence}", event.session)
            }
            Told::Test { id, .. } => format!("endpoint.test {id}"),
        };
        text.into_bytes()
    }
}
