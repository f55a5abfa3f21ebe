//! The registry of nodes and of the keys that stored data requires.

use std::time::Duration;

use async_trait::async_trait;
use diesel::{
    dsl::sql,
    prelude::*,
    sql_query,
    sql_types::{BigInt, Binary, Text},
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
    clock::{CLOCK, interval},
    error,
    store::SqliteStore,
    writer::Priority,
};

#[async_trait]
impl KeyRegistry for SqliteStore {
    async fn publish_node(&self, node: &Node, lifetime: Duration) -> Result<(), StoreError> {
        let row = NodeRow::try_from(node)?;
        let publish = format!(
            "INSERT INTO nodes (id, name, master_keys, pepper_keys, live_until) \
             VALUES (?, ?, ?, ?, {CLOCK} + ?) \
             ON CONFLICT (id) DO UPDATE SET name = excluded.name, \
             master_keys = excluded.master_keys, pepper_keys = excluded.pepper_keys, \
             live_until = excluded.live_until"
        );
        let publish = sql_query(publish)
            .bind::<Id, _>(row.id)
            .bind::<Text, _>(row.name)
            .bind::<Json, _>(row.master_keys)
            .bind::<Json, _>(row.pepper_keys)
            .bind::<BigInt, _>(interval(lifetime));
        let published = self.write(Priority::Worker, move |connection| {
            let over = nodes::table.filter(nodes::live_until.lt(sql::<Instant>(CLOCK)));
            let deleted = diesel::delete(over).execute(connection);
            deleted.map_err(error::commit)?;
            publish.execute(connection).map_err(error::commit)?;
            Ok(())
        });
        published.await.map_err(error::into_store_error)
    }

    async fn withdraw_node(&self, id: NodeId) -> Result<(), StoreError> {
        let withdrawn = self.write(Priority::Worker, move |connection| {
            diesel::delete(nodes::table.find(Bind(id)))
                .execute(connection)
                .map_err(error::commit)
        });
        withdrawn.await.map_err(error::into_store_error)?;
        Ok(())
    }

    async fn live_nodes(&self) -> Result<Vec<Node>, StoreError> {
        let rows: Vec<NodeRow> = self.read(|connection| {
            nodes::table
                .filter(nodes::live_until.gt(sql::<Instant>(CLOCK)))
                .order((nodes::name, nodes::id))
                .select(NodeRow::as_select())
                .load(connection)
                .map_err(error::store)
        })?;
        rows.into_iter().map(Node::try_from).collect()
    }

    async fn register_master_key(
        &self,
        key: &KeyFingerprint,
        lifetime: Duration,
    ) -> Result<bool, StoreError> {
        let register = format!(
            "INSERT INTO keys_in_use (purpose, key_id, digest, used_until) \
             VALUES ('master', ?, ?, {CLOCK} + ?) \
             ON CONFLICT (purpose, key_id) DO UPDATE \
             SET used_until = max(keys_in_use.used_until, excluded.used_until) \
             WHERE keys_in_use.digest = excluded.digest"
        );
        let register = sql_query(register)
            .bind::<Text, _>(key.id.as_str().to_owned())
            .bind::<Binary, _>(key.digest.to_vec())
            .bind::<BigInt, _>(interval(lifetime));
        let registered = self.write(Priority::Worker, move |connection| {
            register.execute(connection).map_err(error::commit)
        });
        Ok(registered.await.map_err(error::into_store_error)? == 1)
    }

    async fn registered_keys(&self, now: Timestamp) -> Result<RegisteredKeys, StoreError> {
        let query = format!(
            "SELECT purpose, key_id, digest, used_until, \
             coalesce(used_until <= {CLOCK}, 0) AS is_idle, \
             purpose = 'pepper' AND EXISTS (SELECT 1 FROM bans WHERE pepper_id = key_id \
             AND revoked_at IS NULL AND expires_at > ?) AS has_live_bans \
             FROM keys_in_use ORDER BY purpose, key_id"
        );
        let found: Vec<RegisteredKeyRow> = self.read(|connection| {
            sql_query(query)
                .bind::<Instant, _>(now)
                .load(connection)
                .map_err(error::store)
        })?;
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
        let id = id.as_str().to_owned();
        let retired = self.write(Priority::Worker, move |connection| {
            let key = keys_in_use::table
                .find(("master", id))
                .filter(keys_in_use::used_until.eq(Bind(used_until)));
            diesel::delete(key)
                .execute(connection)
                .map_err(error::commit)
        });
        Ok(retired.await.map_err(error::into_store_error)? == 1)
    }
}
