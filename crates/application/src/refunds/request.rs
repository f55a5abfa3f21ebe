//! Requests a refund.

use oncharge_domain::{money::Money, session::Input, text::Reference};
use oncharge_ports::{ApiResponse, StoredResponse};

use crate::{
    App, Error, PostContext, Reply,
    commit::{self, ChangeContext},
    execute::execute,
};

/// The input of [`request`]; every value is already validated.
#[derive(Debug, Clone)]
pub struct NewRefund {
    /// The session's id as it was received.
    pub session_id: String,
    /// The amount, at least 1 minor unit.
    pub amount: Money,
    /// The merchant's reference.
    pub reference: Reference,
}

/// Requests a refund. The response acknowledges the request, whatever the PSP's result; once the
/// intent is committed, the refund is executed or fails permanently, but is never lost.
///
/// Errors: the idempotency errors, `NotFound`, `InvalidState`, `Field` (currency),
/// `RefundExceedsCaptured`, `Busy`.
pub async fn request(app: &App, request: PostContext, new: NewRefund) -> Result<Reply, Error> {
    request.require_key()?;
    let app = app.clone();
    app.clone()
        .spawn_detached(async move {
            if let Some(reply) = request.replay(&app).await? {
                return Ok(reply);
            }
            run(&app, &request, &new).await
        })
        .await
}

async fn run(app: &App, request: &PostContext, new: &NewRefund) -> Result<Reply, Error> {
    let session = new.session_id.parse().map_err(|_| Error::NotFound)?;
    let slot = request.merchant.id.slot();
    let (operation, refund) = (app.new_id_in(slot), app.new_id_in(slot));
    let context = ChangeContext {
        owner: Some(request.merchant.id),
        request: Some(request),
        ..ChangeContext::default()
    };
    let input = Input::Refund {
        operation,
        refund,
        amount: new.amount,
        reference: new.reference.clone(),
    };
    let change = match commit::change_session(app, session, &context, &input).await {
        Ok(change) => change,
        Err(refusal) => return request.replay_or(app, refusal).await,
    };
    let ordered = change.decision.refund.clone();
    let ordered = ordered.ok_or_else(|| Error::internal("the new refund is missing"))?;
    let execution = execute(app, change, Some(request)).await;
    let response = execution
        .response
        .unwrap_or_else(|| acknowledge(app, request, &ordered));
    Ok(Reply::first(response))
}

fn acknowledge(
    app: &App,
    request: &PostContext,
    refund: &oncharge_domain::refund::Refund,
) -> StoredResponse {
    let ordered = ApiResponse::RefundRequested(refund);
    app.inner()
        .presenter
        .render(&ordered, &request.request_id, app.now())
}
