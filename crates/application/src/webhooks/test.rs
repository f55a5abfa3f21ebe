//! A merchant tries its endpoint.

use oncharge_domain::id::EventId;
use oncharge_ports::{Presentable, presenter::Told};

use super::sending::{self, Recipient};
use crate::{App, Error, PostContext, Reply};

/// Sends `endpoint.test` to the merchant's endpoint, once, and answers with what came of it. It is
/// no event of a session: nothing is kept of it.
///
/// Errors: the idempotency errors, `NotFound` where no endpoint is set, `Busy`.
pub async fn test(app: &App, context: PostContext) -> Result<Reply, Error> {
    let app = app.clone();
    app.clone()
        .detached(async move {
            if let Some(reply) = context.replay(&app).await? {
                return Ok(reply);
            }
            run(&app, &context).await
        })
        .await
}

async fn run(app: &App, context: &PostContext) -> Result<Reply, Error> {
    let merchant = context.merchant.id;
    let endpoint = app.inner().webhooks.endpoint(merchant).await?;
    let endpoint = endpoint.ok_or(Error::NotFound)?;
    let id: EventId = app.new_id();
    let told = Told::Test { id, at: app.now() };
    let to = Recipient {
        merchant,
        url: endpoint.url,
        key: Some(endpoint.key),
    };
    let made = sending::send(app, to, (id, &told), 1).await?;
    let made = made.ok_or_else(|| Error::internal("a merchant without an active key asks"))?;
    context
        .answer(app, &Presentable::Tested(&made.attempt))
        .await
}
