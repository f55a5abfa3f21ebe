//! Capture and cancel: intent, call, outcome, with the merchant waiting for it.

use oncharge_domain::{
    id::{OperationId, SessionId},
    session::{Input, Session},
};
use oncharge_ports::{Presentable, RememberedAnswer};

use crate::{
    App, Error, PostContext, Reply, calling,
    committing::{self, Intent},
    learning::{self, Known, Learned, Waiting},
};

/// Carries out a command on an authorised session and answers with the session.
pub(super) async fn modify(
    app: &App,
    request: PostContext,
    id: &str,
    command: impl Fn(OperationId) -> Input + Send + Sync + 'static,
) -> Result<Reply, Error> {
    let (app, id) = (app.clone(), id.to_owned());
    app.clone()
        .detached(async move {
            if let Some(reply) = request.replay(&app).await? {
                return Ok(reply);
            }
            let id = id.parse().map_err(|_| Error::NotFound)?;
            run(&app, &request, id, &command).await
        })
        .await
}

async fn run(
    app: &App,
    request: &PostContext,
    id: SessionId,
    command: &(impl Fn(OperationId) -> Input + Send + Sync),
) -> Result<Reply, Error> {
    let operation = app.new_id();
    let intent = Intent {
        owner: Some(request.merchant.id),
        request: Some(request),
        ..Intent::default()
    };
    let decide = |session: &Session, now| session.decide(command(operation), now);
    let mut intended = match committing::intend(app, id, &intent, decide).await {
        Ok(intended) => intended,
        Err(refusal) => return request.overtaken(app, refusal).await,
    };
    let Some((operation, prepared)) = intended.to_send.pop() else {
        let answer = intended
            .answer
            .ok_or_else(|| Error::internal("no answer to give"))?;
        return Ok(Reply {
            answer,
            replayed: false,
        });
    };
    let word = calling::send(app, &operation, &prepared).await;
    let session = intended.decision.session;
    let unsettled = session.clone();
    let outcome = learning::learn(
        app,
        Learned {
            operation: operation.id,
            word,
            waiting: Some(Waiting {
                scope: request.scope(),
                request_id: request.request_id.clone(),
            }),
            lease: None,
            known: Some(Known {
                session,
                operation,
                refund: None,
            }),
        },
    );
    match outcome.await {
        Ok(outcome) => {
            let answer = outcome.answer.ok_or(Error::PspUnavailable)?;
            Ok(Reply {
                answer,
                replayed: false,
            })
        }
        // The outcome could not be written in time: recovery will, and the answer is that of
        // an outcome not known yet.
        Err(error) => {
            tracing::warn!(%error, "an outcome is left to recovery");
            Ok(Reply {
                answer: accepted(app, request, &unsettled),
                replayed: false,
            })
        }
    }
}

fn accepted(app: &App, request: &PostContext, session: &Session) -> RememberedAnswer {
    let accepted = Presentable::Accepted(session);
    app.inner()
        .presenter
        .present(&accepted, &request.request_id, app.now())
}
