//! Registry of the keys at rest that stored data needs, and of the keys that each node has.
//!
//! Both are small tables, so a start-up check takes the same time whatever the size of the
//! database. All times are judged by the database's clock.

use std::time::Duration;

use async_trait::async_trait;
use oncharge_domain::{
    id::NodeId,
    keyring::{KeyFingerprint, KeyId},
    time::Timestamp,
};

use crate::error::StoreError;

/// A running server process and its configured keys, first keys first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Generated when the process starts.
    pub id: NodeId,
    /// For operators: host and process id.
    pub name: String,
    /// Master keys: the node seals under the first and opens under all of them.
    pub master: Vec<KeyFingerprint>,
    /// Peppers: the node hashes new bans under the first and checks bans under all of them.
    pub peppers: Vec<KeyFingerprint>,
}

/// A master key that sealed values need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MasterKeyUse {
    /// The key.
    pub key: KeyFingerprint,
    /// Until when a process may seal under it without registering it again.
    pub used_until: Timestamp,
    /// Whether that time has passed.
    pub is_idle: bool,
}

/// A pepper that bans were hashed under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PepperUse {
    /// The pepper.
    pub key: KeyFingerprint,
    /// Whether any live ban is hashed under it.
    pub has_live_bans: bool,
}

/// The keys that stored data was made with, by id.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RegisteredKeys {
    /// Master keys, until they are retired.
    pub master: Vec<MasterKeyUse>,
    /// Peppers; they are never removed.
    pub peppers: Vec<PepperUse>,
}

/// The registry of nodes and of keys in use.
#[async_trait]
pub trait KeyRegistry: Send + Sync {
    /// Publishes a node, or renews it; it is live for `lifetime` from now on
    /// [`a_node_is_live_while_it_publishes`].
    async fn publish_node(&self, node: &Node, lifetime: Duration) -> Result<(), StoreError>;

    /// Removes a node that stops.
    async fn withdraw_node(&self, id: NodeId) -> Result<(), StoreError>;

    /// The live nodes, ordered by name.
    async fn live_nodes(&self) -> Result<Vec<Node>, StoreError>;

    /// Registers a master key before values are sealed under it, for at least this long from now
    /// on. Changes nothing and returns `false` if another key is registered under its id
    /// [`a_key_is_registered_once`].
    async fn register_master_key(
        &self,
        key: &KeyFingerprint,
        lifetime: Duration,
    ) -> Result<bool, StoreError>;

    /// All registered keys. MUST NOT take longer when other tables grow; `now` decides which bans
    /// are live [`a_pepper_is_registered_with_its_ban`].
    async fn registered_keys(&self, now: Timestamp) -> Result<RegisteredKeys, StoreError>;

    /// Removes a master key that no value needs any more; `false` if it was registered again since
    /// it was read [`a_key_that_is_used_again_is_not_retired`].
    async fn retire_master_key(
        &self,
        id: &KeyId,
        used_until: Timestamp,
    ) -> Result<bool, StoreError>;
}
