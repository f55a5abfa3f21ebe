//! Capture and cancel: commit the intent, call the PSP, commit the outcome, then respond.

use oncharge_domain::{
    id::{OperationId, SessionId},
    session::{Input, Session},
};
use oncharge_ports::{ApiResponse, StoredResponse};

use crate::{
    App, Error, PostContext, Reply,
    commit::{self, ChangeContext},
    execute::execute,
};

/// Executes a command on an authorized session and responds with the session.
pub(super) async fn modify(
    app: &App,
    request: PostContext,
    id: &str,
    command: impl FnOnce(OperationId) -> Input,
) -> Result<Reply, Error> {
    let (app, id) = (app.clone(), id.to_owned());
    let command = command(app.new_id_in(request.merchant.id.slot()));
    app.clone()
        .spawn_detached(async move {
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
    let context = ChangeContext {
        owner: Some(request.merchant.id),
        request: Some(request),
        ..ChangeContext::default()
    };
    let change = match commit::change_session(app, id, &context, command).await {
        Ok(change) => change,
        Err(refusal) => return request.replay_or(app, refusal).await,
    };
    // A command that needs no PSP call is completed by its own commit.
    if let Some(response) = change.response {
        return Ok(Reply::first(response));
    }
    let execution = execute(app, change, Some(request)).await;
    let response = if execution.is_settled {
        execution.response.ok_or(Error::PspUnavailable)?
    } else {
        accepted(app, request, &execution.session)
    };
    Ok(Reply::first(response))
}

fn accepted(app: &App, request: &PostContext, session: &Session) -> StoredResponse {
    let accepted = ApiResponse::Accepted(session);
    app.inner()
        .presenter
        .render(&accepted, &request.request_id, app.now())
}
