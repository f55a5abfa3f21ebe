//! From a committed intent to its outcome: call the PSP, commit its result.

use oncharge_domain::session::Session;
use oncharge_ports::StoredResponse;
use tracing::warn;

use crate::{
    App, PostContext,
    commit::CommittedChange,
    psp_call,
    settlement::{self, LoadedOperation, Settlement, WaitingRequest},
};

/// The outcome of an intent.
pub(crate) struct Execution {
    /// The session's current state.
    pub(crate) session: Session,
    /// Whether the PSP's result is committed; otherwise nothing had to be sent, or the result could
    /// not be committed in time and is left to recovery.
    pub(crate) is_settled: bool,
    /// The response to the merchant; `None` if the PSP definitely could not be reached, or no
    /// merchant waits.
    pub(crate) response: Option<StoredResponse>,
}

impl Execution {
    fn unsettled(session: Session) -> Self {
        Self {
            session,
            is_settled: false,
            response: None,
        }
    }
}

/// Sends an intent's operation and commits the PSP's result. Infallible: once the request may have
/// been sent, an error would wrongly tell the caller that nothing happened.
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
            response: outcome.response,
        },
        Err(error) => {
            warn!(session = %session.id, error = &error as &dyn std::error::Error,
                "cannot record the outcome; recovery will look it up");
            Execution::unsettled(session)
        }
    }
}
