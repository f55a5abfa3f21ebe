//! A server as one node of its deployment: it publishes its keys as long as it runs.
//!
//! That is a lease: the registry counts a node as live for `LIFETIME` after each renewal, and
//! within that time no ban is hashed under a pepper that the node lacks. The node itself relies on it
//! for a shorter time, counted from before the renewal. One that could not renew in time (it was
//! stopped, or cut off from the database) screens no shopper until it has renewed and checked its
//! peppers again.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use oncharge_domain::time::Timestamp;
use oncharge_ports::{StoreError, key_registry::Node};
use tokio::{task::JoinHandle, time::Instant};
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use super::{KeyError, LIFETIME, check, find_mismatches, missing_on_nodes, register_first};
use crate::App;

/// How often a node renews.
const RENEWAL_INTERVAL: Duration = Duration::from_secs(10);
/// How soon it tries again after a renewal that failed.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);
/// For how long a node relies on a renewal; the rest of [`LIFETIME`] covers clocks that run at
/// different speeds.
const RENEWAL_VALIDITY: Duration = Duration::from_secs(25);

/// What this process has published; nothing unless it is a server.
#[derive(Default)]
pub(crate) struct Membership(Mutex<Option<PublishedNode>>);

struct PublishedNode {
    node: Node,
    renewed_at: RenewalTime,
}

/// When a node began to renew, by two clocks: one may stand still while the machine is suspended,
/// the other may be set back.
#[derive(Clone, Copy)]
struct RenewalTime {
    monotonic: Instant,
    wall: Timestamp,
}

impl RenewalTime {
    fn now(app: &App) -> Self {
        Self {
            monotonic: Instant::now(),
            wall: app.now(),
        }
    }

    fn is_valid(self, app: &App) -> bool {
        let validity_seconds = i64::try_from(RENEWAL_VALIDITY.as_secs()).unwrap_or(0);
        self.monotonic.elapsed() < RENEWAL_VALIDITY
            && app.now() < self.wall.plus_seconds(validity_seconds)
    }
}

impl Membership {
    /// Whether every live ban can be found with the peppers of this process.
    pub(crate) fn is_current(&self, app: &App) -> bool {
        let published = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        published
            .as_ref()
            .is_none_or(|published| published.renewed_at.is_valid(app))
    }

    fn set(&self, published: Option<PublishedNode>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = published;
    }

    fn node(&self) -> Option<Node> {
        let published = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        published.as_ref().map(|published| published.node.clone())
    }
}

/// Publishes this process under a name for operators, checks its keys, and registers the key that it
/// seals under. From then on its keys must be renewed ([`Renewal`]).
///
/// Published first and checked afterwards: whoever hashes a ban meanwhile either sees this node, or
/// has registered the pepper before the check.
pub async fn join(app: &App, name: &str) -> Result<(), KeyError> {
    let (inner, renewed_at) = (app.inner(), RenewalTime::now(app));
    let node = Node {
        id: app.new_id(),
        name: name.to_owned(),
        master: inner.configured_keys.master.clone(),
        peppers: inner.configured_keys.peppers.clone(),
    };
    inner.key_registry.publish_node(&node, LIFETIME).await?;
    let checked = match check(app).await {
        Ok(()) => register_first(app).await,
        Err(error) => Err(error),
    };
    if let Err(error) = checked {
        inner.key_registry.withdraw_node(node.id).await?;
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

/// Removes every node: for a store that one server has for itself, and that no server is running on.
/// One that was killed would count as live for a while.
pub async fn withdraw_all(app: &App) -> Result<(), StoreError> {
    let registry = &app.inner().key_registry;
    for node in registry.live_nodes().await? {
        registry.withdraw_node(node.id).await?;
    }
    Ok(())
}

/// Renews what [`join`] has published, in a task of its own.
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

    /// Stops it and withdraws the node; to be called once nothing is sealed any more.
    pub async fn stop(self, app: &App) {
        self.stop.cancel();
        if let Err(error) = self.task.await {
            warn!(%error, "the renewal of this node's keys ended badly");
        }
        if let Err(error) = withdraw(app).await {
            warn!(%error, "this node could not be withdrawn; it counts as live for 30 seconds");
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
                warn!(%error, "this node's keys could not be published");
                RETRY_INTERVAL
            }
        };
    }
}

/// Publishes the node again and checks its keys. What does not fit any more is logged; where that
/// are peppers, no shopper is screened until they fit again.
async fn renew(app: &App) -> Result<(), StoreError> {
    let (inner, renewed_at) = (app.inner(), RenewalTime::now(app));
    let Some(node) = inner.membership.node() else {
        return Ok(());
    };
    inner.key_registry.publish_node(&node, LIFETIME).await?;
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

/// Registers the key that was sealed under once more, so that a walk that has begun meanwhile does
/// not retire it, and removes the node.
async fn withdraw(app: &App) -> Result<(), KeyError> {
    let Some(node) = app.inner().membership.node() else {
        return Ok(());
    };
    register_first(app).await?;
    app.inner().key_registry.withdraw_node(node.id).await?;
    Ok(())
}
