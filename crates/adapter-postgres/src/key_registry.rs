//! The registry of nodes and of the keys that stored data requires.

use std::time::Duration;

use async_trait::async_trait;
use diesel::{
    prelude::*,
    sql_query,
    sql_types::{Bytea, Interval, Text},
};
use oncharge_domain::{
    id::NodeId,
    keyring::{KeyFingerprint, KeyId},
    time::Timestamp,
};
use oncharge_ports::{
    KeyRegistry, StoreError,
    key_registry::{Node, RegisteredKeys},
};
use oncharge_store_rows::{
    Bind,
    rows::{node::NodeRow, registered_key::RegisteredKeyRow},
    schema::{keys_in_use, nodes},
    sql_types::{Id, Instant, Json},
};

use crate::{
    clock::{database_clock, interval},
    store::PostgresStore,
};

const PUBLISH: &str = "
INSERT INTO nodes (id, name, master_keys, pepper_keys, live_until)
VALUES ($1, $2, $3, $4, now() + $5)
ON CONFLICT (id) DO UPDATE SET name = excluded.name, master_keys = excluded.master_keys,
    pepper_keys = excluded.pepper_keys, live_until = excluded.live_until";

const REGISTER_MASTER: &str = "
INSERT INTO keys_in_use (purpose, key_id, digest, used_until) VALUES ('master', $1, $2, now() + $3)
ON CONFLICT (purpose, key_id) DO UPDATE
SET used_until = greatest(keys_in_use.used_until, excluded.used_until)
WHERE keys_in_use.digest = excluded.digest";

/// Not `EXISTS`, which PostgreSQL may evaluate with a hash of every live ban; `ORDER BY` prevents a
/// table scan.
const REGISTERED: &str = "
SELECT purpose, key_id, digest, used_until, coalesce(used_until <= now(), false) AS is_idle,
    purpose = 'pepper' AND coalesce((
        SELECT true FROM bans
        WHERE pepper_id = key_id AND revoked_at IS NULL AND expires_at > $1
        ORDER BY expires_at DESC LIMIT 1
    ), false) AS has_live_bans
FROM keys_in_use ORDER BY purpose, key_id";

#[async_trait]
impl KeyRegistry for PostgresStore {
    async fn publish_node(&self, node: &Node, lifetime: Duration) -> Result<(), StoreError> {
        // In a statement of its own: two nodes that each hold their own row and want each other's
        // would deadlock.
        let over = nodes::table.filter(nodes::live_until.nullable().lt(database_clock()));
        self.write(diesel::delete(over)).await?;
        let row = NodeRow::try_from(node)?;
        let publish = sql_query(PUBLISH)
            .bind::<Id, _>(row.id)
            .bind::<Text, _>(row.name)
            .bind::<Json, _>(row.master_keys)
            .bind::<Json, _>(row.pepper_keys)
            .bind::<Interval, _>(interval(lifetime)?);
        self.write(publish).await?;
        Ok(())
    }

    async fn withdraw_node(&self, id: NodeId) -> Result<(), StoreError> {
        self.write(diesel::delete(nodes::table.find(Bind(id))))
            .await?;
        Ok(())
    }

    async fn live_nodes(&self) -> Result<Vec<Node>, StoreError> {
        let query = nodes::table
            .filter(nodes::live_until.nullable().gt(database_clock()))
            .order((nodes::name, nodes::id))
            .select(NodeRow::as_select());
        let found: Vec<NodeRow> = self.read(query).await?;
        found.into_iter().map(Node::try_from).collect()
    }

    async fn register_master_key(
        &self,
        key: &KeyFingerprint,
        lifetime: Duration,
    ) -> Result<bool, StoreError> {
        let register = sql_query(REGISTER_MASTER)
            .bind::<Text, _>(key.id.as_str().to_owned())
            .bind::<Bytea, _>(key.digest.to_vec())
            .bind::<Interval, _>(interval(lifetime)?);
        Ok(self.write(register).await? == 1)
    }

    async fn registered_keys(&self, now: Timestamp) -> Result<RegisteredKeys, StoreError> {
        let query = sql_query(REGISTERED).bind::<Instant, _>(now);
        let found: Vec<RegisteredKeyRow> = self.read(query).await?;
        let mut keys = RegisteredKeys::default();
        for row in found {
            row.add_to(&mut keys)?;
        }
        Ok(keys)
    }

    async fn retire_master_key(
        &self,
        id: &KeyId,
        used_until: Timestamp,
    ) -> Result<bool, StoreError> {
        let key = keys_in_use::table
            .find(("master", id.as_str().to_owned()))
            .filter(keys_in_use::used_until.eq(Bind(used_until)));
        Ok(self.write(diesel::delete(key)).await? == 1)
    }
}
