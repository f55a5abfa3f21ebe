//! From a committed intent to its outcome: call the PSP, commit what it says.

use oncharge_domain::session::Session;
use oncharge_ports::StoredResponse;
use tracing::warn;

use crate::{
    App, PostContext,
    commit::CommittedChange,
    psp_call,
    settlement::{self, LoadedOperation, Settlement, WaitingRequest},
};

/// What became of an intent.
pub(crate) struct Execution {
    /// The session as it stands now.
    pub(crate) session: Session,
    /// Whether what the PSP said is committed; else nothing had to be sent, or the outcome could
    /// not be written in time and is left to recovery.
    pub(crate) is_settled: bool,
    /// The answer to the merchant that was settled; `None` where the PSP could surely not be
    /// reached, or no merchant waits.
    pub(crate) answer: Option<StoredResponse>,
}

impl Execution {
    fn unsettled(session: Session) -> Self {
        Self {
            session,
            is_settled: false,
            answer: None,
        }
    }
}

/// Sends the operation that an intent has written down, and commits what the PSP says of it. Never
/// fails: from here on an error would deny what is under way.
pub(crate) async fn execute(
    app: &App,
    mut change: CommittedChange,
    request: Option<&PostContext>,
) -> Execution {
    let (session, refund) = (change.decision.session, change.decision.refund);
    let Some((operation, prepared)) = change.to_send.pop() else {
        return Execution::unsettled(session);
    };
    let result = psp_call::send(app, &operation, &prepared).await;
    let settlement = Settlement {
        session: session.id,
        operation: operation.id,
        result,
        waiting: request.map(|request| WaitingRequest {
            scope: request.scope(),
            request_id: request.request_id.clone(),
        }),
        lease: None,
        handled: None,
        preloaded: Some(LoadedOperation {
            session: session.clone(),
            operation,
            refund,
        }),
    };
    match settlement::settle(app, settlement).await {
        Ok(outcome) => Execution {
            session: outcome.session,
            is_settled: true,
            answer: outcome.answer,
        },
        Err(error) => {
            warn!(session = %session.id, %error, "an outcome is left to recovery");
            Execution::unsettled(session)
        }
    }
}
