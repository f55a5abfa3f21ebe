//! Reseals every value under the first master key, so that old keys can be removed.

use std::time::Duration;

use oncharge_domain::keyring::{KeyFingerprint, KeyId};
use oncharge_ports::{StoreError, key_registry::MasterKeyUse};
use tracing::warn;

use super::{KeyError, LIFETIME, prepare_to_seal};
use crate::App;

/// The interval at which the use of old keys is checked.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// The result of resealing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResealReport {
    /// How many values were resealed.
    pub count: u64,
    /// The key that they are under now.
    pub first: KeyId,
    /// Other master keys that must not be removed yet: a process may still seal under them.
    pub still_used: Vec<KeyId>,
}

/// Reseals every value that is not under the first master key, and retires keys that no value is
/// under any more. May be interrupted and repeated.
///
/// A key is retired if no process has sealed under it since before resealing began. After a rollout
/// this takes up to 30 seconds, for which the command waits. If a live node still has the key
/// first, it does not wait and the key stays.
///
/// Errors with the live nodes that lack the first key: they could not open what is resealed.
pub async fn reseal(app: &App) -> Result<ResealReport, KeyError> {
    let inner = app.inner();
    let first = inner.configured_keys.master.first();
    let first = first.ok_or_else(|| StoreError::Failed("no master key is configured".into()))?;
    let first = first.id.clone();
    prepare_to_seal(app).await?;
    let idle = idle_keys(app).await?;
    let count = inner.store.maintenance.reseal().await?;
    for used in idle {
        let retired = inner
            .store
            .key_registry
            .retire_master_key(&used.key.id, used.used_until);
        if !retired.await? {
            warn!(key = used.key.id.as_str(), "the key is in use again");
        }
    }
    let registered = inner.store.key_registry.registered_keys(app.now()).await?;
    let mut still_used: Vec<KeyId> = registered
        .master
        .into_iter()
        .map(|used| used.key.id)
        .collect();
    still_used.retain(|id| *id != first);
    Ok(ResealReport {
        count,
        first,
        still_used,
    })
}

/// The keys other than the first that no process seals under, after waiting for those to become
/// idle that no live node has first.
async fn idle_keys(app: &App) -> Result<Vec<MasterKeyUse>, StoreError> {
    let registry = &app.inner().store.key_registry;
    let first = app.inner().configured_keys.master.first();
    let mut waited = Duration::ZERO;
    loop {
        let nodes = registry.live_nodes().await?;
        let sealing: Vec<&KeyFingerprint> = nodes
            .iter()
            .filter_map(|node| node.master.first())
            .collect();
        let registered = registry.registered_keys(app.now()).await?;
        let mut others = registered.master;
        others.retain(|used| Some(&used.key) != first && !sealing.contains(&&used.key));
        let is_done = waited > LIFETIME || others.iter().all(|used| used.is_idle);
        if is_done {
            others.retain(|used| used.is_idle);
            return Ok(others);
        }
        tokio::time::sleep(POLL_INTERVAL).await;
        waited = waited.saturating_add(POLL_INTERVAL);
    }
}
