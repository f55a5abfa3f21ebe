//! Looks up the API key and merchant of a request, with a cache of at most one second.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use oncharge_domain::merchant::ApiKeyHash;
use tracing::warn;

pub use crate::principal::Principal;
use crate::{App, Error};

impl Principal {
    /// Invalidates the cached key after a change, so that the next request reads it again.
    pub(crate) async fn invalidate_cache(&self, app: &App) {
        app.inner().principals.invalidate(&self.hash).await;
    }
}

/// Finds an API key by its text; `None` if there is none or it has ended.
pub async fn find(app: &App, key_text: &str) -> Result<Option<Arc<Principal>>, Error> {
    let inner = app.inner();
    let hash = ApiKeyHash::of(key_text);
    let found = if let Some(cached) = inner.principals.get(&hash).await {
        cached
    } else {
        let found = inner.store.merchants.key(&hash).await?;
        let found = found.map(|(key, merchant)| {
            Arc::new(Principal {
                key,
                merchant: Arc::new(merchant),
                hash: hash.clone(),
                is_use_recorded: AtomicBool::new(false),
            })
        });
        if let Some(principal) = &found {
            let principal = Arc::clone(principal);
            inner.last_known.insert(hash.clone(), principal).await;
        }
        inner.principals.insert(hash, found.clone()).await;
        found
    };
    Ok(found.filter(|principal| principal.key.is_valid(app.now())))
}

/// Records that the key has signed a request. The request does not wait for it. It writes once an
/// hour: the entry cached for one second holds the time of the last recorded use, and only one
/// request per cached entry writes.
pub fn record_use(app: &App, principal: &Principal) {
    let now = app.now();
    if !principal.key.should_record_use(now)
        || principal.is_use_recorded.swap(true, Ordering::Relaxed)
    {
        return;
    }
    let (id, background) = (principal.key.id, app.clone());
    app.spawn_background(async move {
        let recorded = background
            .inner()
            .store
            .merchants
            .record_key_use(id, now)
            .await;
        if let Err(error) = recorded {
            // The key's next request retries.
            warn!(key = %id, error = &error as &dyn std::error::Error,
                "cannot record the use of an API key");
        }
    });
}

/// A key as this process read it within the last hour, without a store access. Enough to verify a
/// signature, but not to serve a request: the key may have been revoked since.
pub async fn last_known(app: &App, key_text: &str) -> Option<Arc<Principal>> {
    app.inner().last_known.get(&ApiKeyHash::of(key_text)).await
}
