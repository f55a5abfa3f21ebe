//! Tests a merchant's endpoint.

use oncharge_domain::id::{ApiKeyId, EventId};
use oncharge_ports::{ApiResponse, presenter::WebhookPayload};

use super::{
    delivery_attempt::{self, Recipient},
    endpoint,
};
use crate::{App, Error, PostContext, Reply};

/// Sends `endpoint.test` once to the merchant's endpoint and responds with the result. It is not a
/// session event, and nothing of it is stored. It is signed as deliveries are once the endpoint has
/// the key that signed this request; if it succeeds, the endpoint gets that key.
///
/// A merchant can run one test at a time, since tests are not subject to the delivery limits that
/// keep endpoints from delaying each other.
///
/// Errors: the idempotency errors, `NotFound` if no endpoint is set, `Busy` (a test is running).
pub async fn test(app: &App, context: PostContext, key: ApiKeyId) -> Result<Reply, Error> {
    let app = app.clone();
    app.clone()
        .spawn_detached(async move {
            if let Some(reply) = context.replay(&app).await? {
                return Ok(reply);
            }
            let Some(_guard) = app.inner().running_tests.start(context.merchant.id) else {
                return Err(Error::Busy(None));
            };
            run(&app, &context, key).await
        })
        .await
}

async fn run(app: &App, context: &PostContext, key: ApiKeyId) -> Result<Reply, Error> {
    let merchant = context.merchant.id;
    let endpoint = app.inner().store.webhooks.endpoint(merchant).await?;
    let endpoint = endpoint.ok_or(Error::NotFound)?;
    let id: EventId = app.new_id_in(merchant.slot());
    let payload = WebhookPayload::Test { id, at: app.now() };
    let to = Recipient {
        merchant,
        url: endpoint.url.clone(),
        key,
        secrets: endpoint.secrets.clone(),
    };
    let sent = delivery_attempt::send(app, to, id, &payload, 1).await?;
    if sent.attempt.is_success() && endpoint.key != key && endpoint.disabled.is_none() {
        endpoint::change_key(app, &endpoint, key).await?;
    }
    context
        .respond(app, &ApiResponse::Tested(&sent.attempt))
        .await
}
