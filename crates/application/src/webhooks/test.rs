//! A merchant tries its endpoint.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};

use oncharge_domain::id::{ApiKeyId, EventId, MerchantId};
use oncharge_ports::{Presentable, presenter::Told};

use super::{
    endpoint,
    sending::{self, Recipient},
};
use crate::{App, Error, PostContext, Reply};

/// Sends `endpoint.test` to the merchant's endpoint, once, and answers with what came of it. It is
/// no event of a session: nothing is kept of it. It is signed as deliveries are once the endpoint
/// has the key that signed this request; where it succeeds, the endpoint has that key from then on.
///
/// A merchant has one test under way at most: it passes by the lanes that keep deliveries from
/// holding each other up.
///
/// Errors: the idempotency errors, `NotFound` where no endpoint is set, `Busy` (a test is under
/// way).
pub async fn test(app: &App, context: PostContext, key: ApiKeyId) -> Result<Reply, Error> {
    let app = app.clone();
    app.clone()
        .detached(async move {
            if let Some(reply) = context.replay(&app).await? {
                return Ok(reply);
            }
            let Some(_turn) = app.inner().tests.take(context.merchant.id) else {
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
    let told = Told::Test { id, at: app.now() };
    let to = Recipient {
        merchant,
        url: endpoint.url.clone(),
        key,
        secrets: endpoint.secrets.clone(),
    };
    let made = sending::send(app, to, (id, &told), 1).await?;
    if made.attempt.is_success() && endpoint.key != key && endpoint.disabled.is_none() {
        endpoint::change_key(app, &endpoint, key).await?;
    }
    context
        .answer(app, &Presentable::Tested(&made.attempt))
        .await
}

/// The merchants whose test is under way.
#[derive(Clone, Default)]
pub(crate) struct Tests(Arc<Mutex<HashSet<MerchantId>>>);

/// A merchant's turn; over when it is dropped.
struct Turn {
    tests: Tests,
    merchant: MerchantId,
}

impl Tests {
    /// The merchant's turn; `None` while it has one.
    fn take(&self, merchant: MerchantId) -> Option<Turn> {
        let is_free = self.lock().insert(merchant);
        is_free.then(|| Turn {
            tests: self.clone(),
            merchant,
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashSet<MerchantId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.tests.lock().remove(&self.merchant);
    }
}
