//! `KeyRegistry` of the in-memory store.

use std::{collections::btree_map::Entry, time::Duration};

use async_trait::async_trait;
use oncharge_domain::{
    id::NodeId,
    keyring::{KeyFingerprint, KeyId},
    time::Timestamp,
};
use oncharge_ports::{
    KeyRegistry, StoreError,
    key_registry::{MasterKeyUse, Node, PepperUse, RegisteredKeys},
};

use super::{MemoryStore, state::State};

#[async_trait]
impl KeyRegistry for MemoryStore {
    async fn publish_node(&self, node: &Node, lifetime: Duration) -> Result<(), StoreError> {
        let now = self.clock.now();
        let mut state = self.state();
        state.nodes.retain(|_, (_, live_until)| *live_until >= now);
        let published = (node.clone(), later(now, lifetime));
        state.nodes.insert(node.id, published);
        Ok(())
    }

    async fn withdraw_node(&self, id: NodeId) -> Result<(), StoreError> {
        self.state().nodes.remove(&id);
        Ok(())
    }

    async fn live_nodes(&self) -> Result<Vec<Node>, StoreError> {
        let now = self.clock.now();
        let state = self.state();
        let mut nodes: Vec<Node> = state.live_nodes(now).cloned().collect();
        nodes.sort_by(|a, b| (&a.name, a.id).cmp(&(&b.name, b.id)));
        Ok(nodes)
    }

    async fn register_master_key(
        &self,
        key: &KeyFingerprint,
        lifetime: Duration,
    ) -> Result<bool, StoreError> {
        let until = later(self.clock.now(), lifetime);
        Ok(match self.state().master_keys.entry(key.id.clone()) {
            Entry::Vacant(free) => {
                free.insert((key.digest, until));
                true
            }
            Entry::Occupied(mut taken) => {
                let (digest, used_until) = taken.get_mut();
                let is_same = *digest == key.digest;
                if is_same {
                    *used_until = until.max(*used_until);
                }
                is_same
            }
        })
    }

    async fn registered_keys(&self, now: Timestamp) -> Result<RegisteredKeys, StoreError> {
        let present = self.clock.now();
        let state = self.state();
        let key = |id: &KeyId, digest: &[u8; 32]| KeyFingerprint {
            id: id.clone(),
            digest: *digest,
        };
        let master = state.master_keys.iter();
        let master = master.map(|(id, (digest, used_until))| MasterKeyUse {
            key: key(id, digest),
            used_until: *used_until,
            is_idle: *used_until <= present,
        });
        let peppers = state.peppers.iter();
        let peppers = peppers.map(|(id, digest)| PepperUse {
            key: key(id, digest),
            has_live_bans: state
                .bans
                .iter()
                .any(|ban| ban.hash.pepper == *id && ban.is_live(now)),
        });
        Ok(RegisteredKeys {
            master: master.collect(),
            peppers: peppers.collect(),
        })
    }

    async fn retire_master_key(
        &self,
        id: &KeyId,
        used_until: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut state = self.state();
        let found = state.master_keys.get(id);
        let is_unchanged = found.is_some_and(|(_, until)| *until == used_until);
        if is_unchanged {
            state.master_keys.remove(id);
        }
        Ok(is_unchanged)
    }
}

impl State {
    fn live_nodes(&self, now: Timestamp) -> impl Iterator<Item = &Node> {
        let is_live = move |(_, live_until): &&(Node, Timestamp)| *live_until > now;
        self.nodes.values().filter(is_live).map(|(node, _)| node)
    }

    /// Registers a pepper if every live node has it and no other pepper has its id.
    pub(super) fn register_pepper(&mut self, pepper: &KeyFingerprint, now: Timestamp) -> bool {
        if !self
            .live_nodes(now)
            .all(|node| node.peppers.contains(pepper))
        {
            return false;
        }
        let known = self.peppers.entry(pepper.id.clone());
        *known.or_insert(pepper.digest) == pepper.digest
    }
}

fn later(now: Timestamp, by: Duration) -> Timestamp {
    now.plus(by.try_into().unwrap())
}
