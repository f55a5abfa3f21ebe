//! Tests a merchant's endpoint.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};

use oncharge_domain::id::{ApiKeyId, EventId, MerchantId};
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
    let endpoint = app.inner().webhooks.endpoint(merchant).await?;
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
        .answer(app, &ApiResponse::Tested(&sent.attempt))
        .await
}

/// The merchants whose test is running.
#[derive(Clone, Default)]
pub(crate) struct RunningTests(Arc<Mutex<HashSet<MerchantId>>>);

/// A merchant's running test; ends when it is dropped.
struct RunningTest {
    running_tests: RunningTests,
    merchant: MerchantId,
}

impl RunningTests {
    /// Starts the merchant's test; `None` if one is running.
    fn start(&self, merchant: MerchantId) -> Option<RunningTest> {
        let is_free = self.lock().insert(merchant);
        is_free.then(|| RunningTest {
            running_tests: self.clone(),
            merchant,
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashSet<MerchantId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for RunningTest {
    fn drop(&mut self) {
        self.running_tests.lock().remove(&self.merchant);
    }
}
