//! A server's membership in its deployment: it publishes its keys as long as it runs.
//!
//! Membership is a lease: the registry counts a node as live for `LIFETIME` after each renewal, and
//! within that time no ban is hashed under a pepper that the node lacks. The node itself relies on
//! it for a shorter time, counted from before the renewal. A node that could not renew in time (it
//! was stopped, or cut off from the database) screens no shopper until it has renewed and checked
//! its peppers again.

use std::time::Duration;

use oncharge_ports::{StoreError, key_registry::Node};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use super::{
    KeyError, LIFETIME, check, find_mismatches, missing_on_nodes,
    published_node::{PublishedNode, RenewalTime},
    register_first,
};
use crate::App;

const RENEWAL_INTERVAL: Duration = Duration::from_secs(10);
/// The delay before retrying a failed renewal.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);
/// Publishes this process under a name for operators, checks its keys, and registers the key that
/// it seals under. Its keys must be renewed from then on ([`Renewal`]).
///
/// It publishes first and checks afterwards: a process that hashes a ban in between either sees
/// this node or has registered the pepper before the check.
pub async fn join(app: &App, name: &str) -> Result<(), KeyError> {
    let (inner, renewed_at) = (app.inner(), RenewalTime::new(app.now()));
    let node = Node {
        id: app.new_id(),
        name: name.to_owned(),
        master: inner.configured_keys.master.clone(),
        peppers: inner.configured_keys.peppers.clone(),
    };
    inner
        .store
        .key_registry
        .publish_node(&node, LIFETIME)
        .await?;
    let checked = match check(app).await {
        Ok(()) => register_first(app).await,
        Err(error) => Err(error),
    };
    if let Err(error) = checked {
        inner.store.key_registry.withdraw_node(node.id).await?;
        return Err(error);
    }
    inner
        .membership
        .set(Some(PublishedNode { node, renewed_at }));
    for problem in missing_on_nodes(app).await? {
        warn!("{problem}");
    }
    Ok(())
}

/// Removes every node; for a store that belongs to a single server that is not running. A killed
/// server would otherwise count as live for a while.
pub async fn withdraw_all(app: &App) -> Result<(), StoreError> {
    let registry = &app.inner().store.key_registry;
    for node in registry.live_nodes().await? {
        registry.withdraw_node(node.id).await?;
    }
    Ok(())
}

/// Renews what [`join`] has published, in its own task.
pub struct Renewal {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Renewal {
    /// Starts the task.
    #[expect(clippy::disallowed_methods, reason = "the task is owned by `Renewal`")]
    pub fn start(app: &App) -> Self {
        let stop = CancellationToken::new();
        let task = tokio::spawn(run(app.clone(), stop.clone()));
        Self { stop, task }
    }

    /// Stops the task and withdraws the node; call it once nothing is sealed any more.
    pub async fn stop(self, app: &App) {
        self.stop.cancel();
        if let Err(error) = self.task.await {
            warn!(
                error = &error as &dyn std::error::Error,
                "the task that renews this node's keys failed"
            );
        }
        if let Err(error) = withdraw(app).await {
            warn!(
                error = &error as &dyn std::error::Error,
                "cannot unregister this node; it counts as live for 30 more seconds"
            );
        }
    }
}

async fn run(app: App, stop: CancellationToken) {
    let mut pause = RENEWAL_INTERVAL;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
        pause = match renew(&app).await {
            Ok(()) => RENEWAL_INTERVAL,
            Err(error) => {
                warn!(
                    error = &error as &dyn std::error::Error,
                    "cannot publish this node's keys"
                );
                RETRY_INTERVAL
            }
        };
    }
}

/// Publishes the node again and checks its keys. Mismatches are logged; if peppers are among them,
/// no shopper is screened until they match again.
async fn renew(app: &App) -> Result<(), StoreError> {
    let (inner, renewed_at) = (app.inner(), RenewalTime::new(app.now()));
    let Some(node) = inner.membership.node() else {
        return Ok(());
    };
    inner
        .store
        .key_registry
        .publish_node(&node, LIFETIME)
        .await?;
    let mut found = find_mismatches(app).await?;
    match register_first(app).await {
        Ok(()) => {}
        Err(KeyError::Store(error)) => return Err(error),
        Err(problem) => found.push(problem),
    }
    for problem in &found {
        error!("{problem}");
    }
    if !found.iter().any(KeyError::concerns_peppers) {
        inner
            .membership
            .set(Some(PublishedNode { node, renewed_at }));
    }
    Ok(())
}

/// Registers the sealing key once more, so that a reseal that has begun in the meantime does not
/// retire it, and removes the node.
async fn withdraw(app: &App) -> Result<(), KeyError> {
    let Some(node) = app.inner().membership.node() else {
        return Ok(());
    };
    register_first(app).await?;
    app.inner()
        .store
        .key_registry
        .withdraw_node(node.id)
        .await?;
    Ok(())
}
