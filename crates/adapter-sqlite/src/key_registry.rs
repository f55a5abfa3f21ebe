//! The registry of nodes and of the keys that stored data requires.

use std::time::Duration;

use async_trait::async_trait;
use diesel::{
    dsl::sql,
    prelude::*,
    sql_query,
    sql_types::{BigInt, Binary, Bool, Nullable, Text},
};
use oncharge_domain::{
    id::NodeId,
    keyring::{KeyFingerprint, KeyId},
    time::Timestamp,
};
use oncharge_ports::{
    CommitError, KeyRegistry, StoreError,
    key_registry::{MasterKeyUse, Node, PepperUse, RegisteredKeys},
};

use crate::{
    error,
    rows::{RowReader, id_bytes, node::NodeRow},
    schema::{keys_in_use, nodes},
    store::SqliteStore,
    work::{CLOCK, micros},
    writer::Priority,
};

#[derive(QueryableByName)]
struct RegisteredKeyRow {
    #[diesel(sql_type = Text)]
    purpose: String,
    #[diesel(sql_type = Text)]
    key_id: String,
    #[diesel(sql_type = Binary)]
    digest: Vec<u8>,
    #[diesel(sql_type = Nullable<BigInt>)]
    used_until: Option<i64>,
    #[diesel(sql_type = Bool)]
    is_idle: bool,
    #[diesel(sql_type = Bool)]
    has_live_bans: bool,
}

#[async_trait]
impl KeyRegistry for SqliteStore {
    async fn publish_node(&self, node: &Node, lifetime: Duration) -> Result<(), StoreError> {
        let row = NodeRow::from(node);
        let publish = format!(
            "INSERT INTO nodes (id, name, master_keys, pepper_keys, live_until) \
             VALUES (?, ?, ?, ?, {CLOCK} + ?) \
             ON CONFLICT (id) DO UPDATE SET name = excluded.name, \
             master_keys = excluded.master_keys, pepper_keys = excluded.pepper_keys, \
             live_until = excluded.live_until"
        );
        let publish = row
            .bind_to(sql_query(publish))
            .bind::<BigInt, _>(micros(lifetime));
        let published = self.write(Priority::Worker, move |connection| {
            let over = nodes::table.filter(nodes::live_until.lt(sql::<BigInt>(CLOCK)));
            let deleted = diesel::delete(over).execute(connection);
            deleted.map_err(error::commit)?;
            publish.execute(connection).map_err(error::commit)?;
            Ok(())
        });
        published.await.map_err(error::into_store_error)
    }

    async fn withdraw_node(&self, id: NodeId) -> Result<(), StoreError> {
        let withdrawn = self.write(Priority::Worker, move |connection| {
            diesel::delete(nodes::table.find(id_bytes(id)))
                .execute(connection)
                .map_err(error::commit)
        });
        withdrawn.await.map_err(error::into_store_error)?;
        Ok(())
    }

    async fn live_nodes(&self) -> Result<Vec<Node>, StoreError> {
        let rows: Vec<NodeRow> = self.read(|connection| {
            nodes::table
                .filter(nodes::live_until.gt(sql::<BigInt>(CLOCK)))
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
            .bind::<BigInt, _>(micros(lifetime));
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
                .bind::<BigInt, _>(now.unix_micros())
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
                .filter(keys_in_use::used_until.eq(used_until.unix_micros()));
            diesel::delete(key)
                .execute(connection)
                .map_err(error::commit)
        });
        Ok(retired.await.map_err(error::into_store_error)? == 1)
    }
}

/// Registers a pepper if every live node has it, else changes nothing and returns `false`. The
/// writer's transaction excludes the concurrent publishing of nodes.
pub(crate) fn register_pepper(
    connection: &mut SqliteConnection,
    pepper: &KeyFingerprint,
) -> Result<bool, CommitError> {
    let register = format!(
        "INSERT INTO keys_in_use (purpose, key_id, digest) SELECT 'pepper', ?, ? \
         WHERE NOT EXISTS (SELECT 1 FROM nodes WHERE live_until > {CLOCK} \
         AND NOT EXISTS (SELECT 1 FROM json_each(pepper_keys) WHERE value = ?)) \
         ON CONFLICT (purpose, key_id) DO UPDATE SET digest = excluded.digest \
         WHERE keys_in_use.digest = excluded.digest"
    );
    let registered = sql_query(register)
        .bind::<Text, _>(pepper.id.as_str())
        .bind::<Binary, _>(pepper.digest.as_slice())
        .bind::<Text, _>(pepper.to_string())
        .execute(connection);
    Ok(registered.map_err(error::commit)? == 1)
}

impl RegisteredKeyRow {
    fn add_to(self, keys: &mut RegisteredKeys) -> Result<(), StoreError> {
        let reader = RowReader::of("keys_in_use", self.key_id.as_bytes());
        let key = KeyFingerprint {
            id: reader.require("key_id", KeyId::parse(&self.key_id))?,
            digest: reader.hash("digest", &self.digest)?,
        };
        if self.purpose == "pepper" {
            keys.peppers.push(PepperUse {
                key,
                has_live_bans: self.has_live_bans,
            });
        } else {
            let used_until = reader.optional_time("used_until", self.used_until)?;
            keys.master.push(MasterKeyUse {
                key,
                used_until: reader.require("used_until", used_until)?,
                is_idle: self.is_idle,
            });
        }
        Ok(())
    }
}
