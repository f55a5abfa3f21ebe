//! Who signs a request: the API key and its merchant, from a cache of at most a second.

use std::sync::Arc;

use oncharge_domain::merchant::{ApiKey, ApiKeyHash, Merchant};

use crate::{App, Error};

/// An active API key and its merchant.
#[derive(Debug, Clone)]
pub struct Principal {
    /// The key.
    pub key: ApiKey,
    /// The merchant.
    pub merchant: Arc<Merchant>,
}

/// Finds an API key by its text; `None` where there is none, or it is no longer active.
pub async fn find(app: &App, key_text: &str) -> Result<Option<Arc<Principal>>, Error> {
    let inner = app.inner();
    let hash = ApiKeyHash::of(key_text);
    let found = if let Some(known) = inner.principals.get(&hash).await {
        known
    } else {
        let found = inner.merchants.key(&hash).await?;
        let found = found.map(|(key, merchant)| {
            Arc::new(Principal {
                key,
                merchant: Arc::new(merchant),
            })
        });
        if let Some(principal) = &found {
            let principal = Arc::clone(principal);
            inner.last_known.insert(hash.clone(), principal).await;
        }
        inner.principals.insert(hash, found.clone()).await;
        found
    };
    Ok(found.filter(|principal| principal.key.is_active(app.now())))
}

/// A key as this process read it within the last hour, without asking the store. It is enough to
/// verify a signature, but not to serve a request: the key may have been revoked since.
pub async fn last_known(app: &App, key_text: &str) -> Option<Arc<Principal>> {
    app.inner().last_known.get(&ApiKeyHash::of(key_text)).await
}
