//! Answers as one line of text, so that tests of use cases need no HTTP.

use oncharge_domain::time::Timestamp;
use oncharge_ports::{Presentable, Presenter, RememberedAnswer};

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
            Presentable::PspRejected => (409, format!("psp_rejected {request_id}")),
        };
        RememberedAnswer {
            status,
            content_type: "text/plain".to_owned(),
            body: body.into_bytes(),
        }
    }
}
