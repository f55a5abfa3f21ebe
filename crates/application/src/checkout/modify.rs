//! Capture and cancel: intent, call, outcome, with the merchant waiting for it.

use oncharge_domain::{
    id::{OperationId, SessionId},
    session::{Input, Session},
};
use oncharge_ports::{Presentable, RememberedAnswer};

use crate::{
    App, Error, PostContext, Reply,
    carrying_out::carry_out,
    committing::{self, Intent},
};

/// Carries out a command on an authorised session and answers with the session.
pub(super) async fn modify(
    app: &App,
    request: PostContext,
    id: &str,
    command: impl FnOnce(OperationId) -> Input,
) -> Result<Reply, Error> {
    let (app, id) = (app.clone(), id.to_owned());
    let command = command(app.new_id_in(request.merchant.id.slot()));
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
    command: &Input,
) -> Result<Reply, Error> {
    let intent = Intent {
        owner: Some(request.merchant.id),
        request: Some(request),
        ..Intent::default()
    };
    let intended = match committing::intend(app, id, &intent, command).await {
        Ok(intended) => intended,
        Err(refusal) => return request.overtaken(app, refusal).await,
    };
    // A command that no PSP is asked for is answered by its own commit.
    if let Some(answer) = intended.answer {
        return Ok(Reply::first(answer));
    }
    let carried = carry_out(app, intended, Some(request)).await;
    let answer = if carried.is_settled {
        carried.answer.ok_or(Error::PspUnavailable)?
    } else {
        accepted(app, request, &carried.session)
    };
    Ok(Reply::first(answer))
}

fn accepted(app: &App, request: &PostContext, session: &Session) -> RememberedAnswer {
    let accepted = Presentable::Accepted(session);
    app.inner()
        .presenter
        .present(&accepted, &request.request_id, app.now())
}
