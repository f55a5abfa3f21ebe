//! From a committed intent to its outcome: call the PSP, commit what it says.

use oncharge_domain::session::Session;
use oncharge_ports::RememberedAnswer;
use tracing::warn;

use crate::{
    App, PostContext, calling,
    committing::Intended,
    learning::{self, Known, Learned, Waiting},
};

/// What became of an intent.
pub(crate) struct CarriedOut {
    /// The session as it stands now.
    pub(crate) session: Session,
    /// Whether what the PSP said is committed; else nothing had to be sent, or the outcome could
    /// not be written in time and is left to recovery.
    pub(crate) is_settled: bool,
    /// The answer to the merchant that was settled; `None` where the PSP could surely not be
    /// reached, or no merchant waits.
    pub(crate) answer: Option<RememberedAnswer>,
}

impl CarriedOut {
    fn standing(session: Session) -> Self {
        Self {
            session,
            is_settled: false,
            answer: None,
        }
    }
}

/// Sends the operation that an intent has written down, and commits what the PSP says of it. Never
/// fails: from here on an error would deny what is under way.
pub(crate) async fn carry_out(
    app: &App,
    mut intended: Intended,
    request: Option<&PostContext>,
) -> CarriedOut {
    let (session, refund) = (intended.decision.session, intended.decision.refund);
    let Some((operation, prepared)) = intended.to_send.pop() else {
        return CarriedOut::standing(session);
    };
    let result = calling::send(app, &operation, &prepared).await;
    let learned = Learned {
        session: session.id,
        operation: operation.id,
        result,
        waiting: request.map(|request| Waiting {
            scope: request.scope(),
            request_id: request.request_id.clone(),
        }),
        lease: None,
        handled: None,
        known: Some(Known {
            session: session.clone(),
            operation,
            refund,
        }),
    };
    match learning::learn(app, learned).await {
        Ok(outcome) => CarriedOut {
            session: outcome.session,
            is_settled: true,
            answer: outcome.answer,
        },
        Err(error) => {
            warn!(session = %session.id, %error, "an outcome is left to recovery");
            CarriedOut::standing(session)
        }
    }
}
