//! Keys at rest: which keys stored data needs, and which keys the deployment's nodes have.
//!
//! A process checks its keys against the registry before it works, and registers a key before its
//! first use. A server also publishes its keys as long as it runs ([`membership`]), which makes a
//! rotation in two rollouts safe at every moment: first every node gets the new key as its last
//! one, then as its first one.

mod configured;
pub mod membership;
mod published_node;
pub mod reseal;

use std::time::Duration;

use oncharge_domain::keyring::{KeyFingerprint, KeyId};
use oncharge_ports::{
    KeyRegistry, StoreError,
    key_registry::{Node, RegisteredKeys},
};

pub(crate) use self::configured::ConfiguredKeys;
pub use self::configured::KeyList;
pub(crate) use self::published_node::Membership;
use crate::App;

/// How long a node counts as live after publishing its keys, and a master key as in use after its
/// registration.
pub(crate) const LIFETIME: Duration = Duration::from_secs(30);

/// Why the configured keys do not fit the stored data or the other nodes.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Sealed values or live bans need a key that is not configured.
    #[error("{list} lacks the key {:?}, which {}", .id.as_str(), .list.needed_by())]
    Missing {
        /// The list.
        list: KeyList,
        /// The key.
        id: KeyId,
    },
    /// A configured key differs from the one registered under its id.
    #[error(
        "{list} has another key under the id {:?} than the one that {}; \
         a new key needs an id of its own", .id.as_str(), .list.needed_by()
    )]
    Different {
        /// The list.
        list: KeyList,
        /// The id.
        id: KeyId,
    },
    /// A live node has a different key under this id.
    #[error("{list} has another key under the id {:?} than node {node}", .id.as_str())]
    DiffersFromNode {
        /// The list.
        list: KeyList,
        /// The id.
        id: KeyId,
        /// The node's name.
        node: String,
    },
    /// Live nodes lack a key.
    #[error(
        "{list} lacks the key {:?} on node {}; add it as the last entry on every node first",
        .id.as_str(), .nodes.join(", ")
    )]
    NotOnNodes {
        /// The list.
        list: KeyList,
        /// The key.
        id: KeyId,
        /// The nodes' names.
        nodes: Vec<String>,
    },
    /// The registry cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Checks that the configured keys fit the stored data and the live nodes. Takes the same time
/// whatever the size of the database.
///
/// Errors with the first key that does not fit.
pub async fn check(app: &App) -> Result<(), KeyError> {
    let problem = find_mismatches(app).await?.into_iter().next();
    problem.map_or(Ok(()), Err)
}

/// Prepares a command that seals values: registers the first master key, which every live node must
/// have.
///
/// Errors with the nodes that lack it; then nothing is registered.
pub async fn prepare_to_seal(app: &App) -> Result<(), KeyError> {
    require_on_all_nodes(app, KeyList::Master).await?;
    register_first(app).await?;
    // A node that started in the meantime either is found here, or finds the key registered and
    // fails its check without it.
    require_on_all_nodes(app, KeyList::Master).await
}

/// Registers the first master key, before anything is sealed under it.
async fn register_first(app: &App) -> Result<(), KeyError> {
    let inner = app.inner();
    let Some(first) = inner.configured_keys.master.first() else {
        return Ok(());
    };
    if inner
        .store
        .key_registry
        .register_master_key(first, LIFETIME)
        .await?
    {
        return Ok(());
    }
    Err(KeyError::Different {
        list: KeyList::Master,
        id: first.id.clone(),
    })
}

/// The keys for new values that live nodes lack; for operators.
pub async fn missing_on_nodes(app: &App) -> Result<Vec<KeyError>, KeyError> {
    let mut found = Vec::new();
    for list in [KeyList::Master, KeyList::Pepper] {
        match require_on_all_nodes(app, list).await {
            Ok(()) => {}
            Err(KeyError::Store(error)) => return Err(error.into()),
            Err(error) => found.push(error),
        }
    }
    Ok(found)
}

/// Errors with the live nodes that lack the first key of this list.
pub(crate) async fn require_on_all_nodes(app: &App, list: KeyList) -> Result<(), KeyError> {
    let inner = app.inner();
    let Some(first) = inner.configured_keys.first(list) else {
        return Ok(());
    };
    let nodes = inner.store.key_registry.live_nodes().await?;
    let lacking = nodes
        .iter()
        .filter(|node| !keys_of(node, list).contains(first));
    let nodes: Vec<String> = lacking.map(|node| node.name.clone()).collect();
    if nodes.is_empty() {
        return Ok(());
    }
    Err(KeyError::NotOnNodes {
        list,
        id: first.id.clone(),
        nodes,
    })
}

/// All mismatches with the registry and the live nodes.
async fn find_mismatches(app: &App) -> Result<Vec<KeyError>, StoreError> {
    let inner = app.inner();
    let registry: &dyn KeyRegistry = &*inner.store.key_registry;
    let registered = registry.registered_keys(app.now()).await?;
    let mut found = registry_mismatches(&inner.configured_keys, &registered);
    for node in registry.live_nodes().await? {
        found.extend(node_mismatches(&inner.configured_keys, &node));
    }
    Ok(found)
}

fn registry_mismatches(configured: &ConfiguredKeys, registered: &RegisteredKeys) -> Vec<KeyError> {
    let master = registered.master.iter().filter_map(|used| {
        let list = KeyList::Master;
        different(list, &configured.master, &used.key)
            .or_else(|| missing(list, &configured.master, &used.key))
    });
    let peppers = registered.peppers.iter().filter_map(|used| {
        let list = KeyList::Pepper;
        different(list, &configured.peppers, &used.key).or_else(|| {
            let missing = missing(list, &configured.peppers, &used.key);
            missing.filter(|_| used.has_live_bans)
        })
    });
    master.chain(peppers).collect()
}

fn different(
    list: KeyList,
    configured: &[KeyFingerprint],
    used: &KeyFingerprint,
) -> Option<KeyError> {
    let same_id = configured.iter().find(|key| key.id == used.id);
    let id = used.id.clone();
    same_id
        .filter(|key| *key != used)
        .map(|_| KeyError::Different { list, id })
}

fn missing(
    list: KeyList,
    configured: &[KeyFingerprint],
    used: &KeyFingerprint,
) -> Option<KeyError> {
    let is_configured = configured.iter().any(|key| key.id == used.id);
    let id = used.id.clone();
    (!is_configured).then_some(KeyError::Missing { list, id })
}

/// Keys that a node has under the same id as this process, but with a different value.
fn node_mismatches(configured: &ConfiguredKeys, node: &Node) -> Vec<KeyError> {
    let differs = |list, ours: &[KeyFingerprint]| -> Vec<KeyError> {
        let theirs = keys_of(node, list);
        let differing = ours.iter().filter(|key| {
            let same_id = theirs.iter().find(|other| other.id == key.id);
            same_id.is_some_and(|other| other != *key)
        });
        let error = |key: &KeyFingerprint| KeyError::DiffersFromNode {
            list,
            id: key.id.clone(),
            node: node.name.clone(),
        };
        differing.map(error).collect()
    };
    let mut found = differs(KeyList::Master, &configured.master);
    found.extend(differs(KeyList::Pepper, &configured.peppers));
    found
}

fn keys_of(node: &Node, list: KeyList) -> &[KeyFingerprint] {
    match list {
        KeyList::Master => &node.master,
        KeyList::Pepper => &node.peppers,
    }
}

impl KeyError {
    /// Whether the mismatch can hide a ban.
    fn concerns_peppers(&self) -> bool {
        match self {
            Self::Missing { list, .. }
            | Self::Different { list, .. }
            | Self::DiffersFromNode { list, .. }
            | Self::NotOnNodes { list, .. } => *list == KeyList::Pepper,
            Self::Store(_) => false,
        }
    }
}
