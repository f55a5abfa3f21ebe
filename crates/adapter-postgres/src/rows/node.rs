//! Rows of nodes; their keys only as fingerprints.

use diesel::{
    pg::Pg,
    prelude::*,
    query_builder::{BoxedSqlQuery, SqlQuery},
    sql_types::{Jsonb, Text, Uuid as SqlUuid},
};
use oncharge_domain::{id::NodeId, keyring::KeyFingerprint};
use oncharge_ports::{StoreError, key_registry::Node};
use serde_json::Value;
use uuid::Uuid;

use crate::{rows::RowReader, schema::nodes};

#[derive(Queryable, Selectable)]
#[diesel(table_name = nodes, check_for_backend(Pg))]
pub(crate) struct NodeRow {
    id: Uuid,
    name: String,
    master_keys: Value,
    pepper_keys: Value,
}

impl NodeRow {
    /// Binds the columns in the order of the statement.
    pub(crate) fn bind_to<'a>(self, query: SqlQuery) -> BoxedSqlQuery<'a, Pg, SqlQuery> {
        query
            .into_boxed()
            .bind::<SqlUuid, _>(self.id)
            .bind::<Text, _>(self.name)
            .bind::<Jsonb, _>(self.master_keys)
            .bind::<Jsonb, _>(self.pepper_keys)
    }
}

impl From<&Node> for NodeRow {
    fn from(node: &Node) -> Self {
        let texts = |keys: &[KeyFingerprint]| keys.iter().map(ToString::to_string).collect();
        Self {
            id: node.id.uuid(),
            name: node.name.clone(),
            master_keys: texts(&node.master),
            pepper_keys: texts(&node.peppers),
        }
    }
}

impl TryFrom<NodeRow> for Node {
    type Error = StoreError;

    fn try_from(row: NodeRow) -> Result<Self, StoreError> {
        let id = NodeId::from_uuid(row.id);
        let reader = RowReader {
            table: "nodes",
            row: id,
        };
        let keys = |value: &Value| -> Option<Vec<KeyFingerprint>> {
            let texts = value.as_array()?.iter();
            texts.map(|text| text.as_str()?.parse().ok()).collect()
        };
        Ok(Self {
            id,
            master: reader.require("master_keys", keys(&row.master_keys))?,
            peppers: reader.require("pepper_keys", keys(&row.pepper_keys))?,
            name: row.name,
        })
    }
}
