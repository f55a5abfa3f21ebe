//! Delivers an event again at the merchant's request.

use oncharge_ports::{ApiResponse, webhook_repository::Redelivery};

use crate::{App, Error, PostContext, Reply};

/// Enqueues an event for immediate delivery to the current endpoint, with its full number of
/// attempts.
///
/// Errors: the idempotency errors, `NotFound`, `NoEndpoint`, `Busy`.
pub async fn redeliver(app: &App, context: PostContext, id: &str) -> Result<Reply, Error> {
    let (app, id) = (app.clone(), id.to_owned());
    app.clone()
        .spawn_detached(async move {
            if let Some(reply) = context.replay(&app).await? {
                return Ok(reply);
            }
            run(&app, &context, &id).await
        })
        .await
}

async fn run(app: &App, context: &PostContext, id: &str) -> Result<Reply, Error> {
    let event = id.parse().map_err(|_| Error::NotFound)?;
    let merchant = context.merchant.id;
    let webhooks = &app.inner().store.webhooks;
    match webhooks.redeliver(merchant, event, app.now()).await? {
        Redelivery::Due => {}
        Redelivery::NoEndpoint => return Err(Error::NoEndpoint),
        Redelivery::NotFound => return Err(Error::NotFound),
    }
    app.inner().notifiers.deliveries.notify_one();
    let stored = webhooks.event(merchant, event).await?;
    let stored = stored.ok_or(Error::NotFound)?;
    context
        .respond(app, &ApiResponse::Redelivering(&stored))
        .await
}
