//! A merchant orders a refund.

use oncharge_domain::{money::Money, session::Input, text::Reference};
use oncharge_ports::{Presentable, RememberedAnswer};

use crate::{
    App, Error, PostContext, Reply,
    carrying_out::carry_out,
    committing::{self, Intent},
};

/// What a merchant orders; every value keeps its rule already.
#[derive(Debug, Clone)]
pub struct NewRefund {
    /// The session's id as it was sent.
    pub session_id: String,
    /// How much, at least 1 minor unit.
    pub amount: Money,
    /// The merchant's reference.
    pub reference: Reference,
}

/// Orders a refund. The answer acknowledges the order, whatever the PSP says; once the intent is
/// committed it is carried out or fails for good, but is never lost.
///
/// Errors: the idempotency errors, `NotFound`, `InvalidState`, `Field` (currency),
/// `RefundExceedsCaptured`, `Busy`.
pub async fn request(app: &App, request: PostContext, new: NewRefund) -> Result<Reply, Error> {
    request.require_key()?;
    let app = app.clone();
    app.clone()
        .detached(async move {
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
    let intent = Intent {
        owner: Some(request.merchant.id),
        request: Some(request),
        ..Intent::default()
    };
    let input = Input::Refund {
        operation,
        refund,
        amount: new.amount,
        reference: new.reference.clone(),
    };
    let intended = match committing::intend(app, session, &intent, &input).await {
        Ok(intended) => intended,
        Err(refusal) => return request.overtaken(app, refusal).await,
    };
    let ordered = intended.decision.refund.clone();
    let ordered = ordered.ok_or_else(|| Error::internal("an order without its refund"))?;
    let carried = carry_out(app, intended, Some(request)).await;
    let answer = carried
        .answer
        .unwrap_or_else(|| acknowledge(app, request, &ordered));
    Ok(Reply::first(answer))
}

fn acknowledge(
    app: &App,
    request: &PostContext,
    refund: &oncharge_domain::refund::Refund,
) -> RememberedAnswer {
    let ordered = Presentable::RefundOrdered(refund);
    app.inner()
        .presenter
        .present(&ordered, &request.request_id, app.now())
}
