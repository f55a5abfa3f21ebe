//! Rows of nodes; their keys only as fingerprints.

use diesel::{
    prelude::*,
    query_builder::{BoxedSqlQuery, SqlQuery},
    sql_types::{Binary, Text},
    sqlite::Sqlite,
};
use oncharge_domain::keyring::KeyFingerprint;
use oncharge_ports::{StoreError, key_registry::Node};

use super::{RowReader, id_bytes};
use crate::schema::nodes;

#[derive(Queryable, Selectable)]
#[diesel(table_name = nodes)]
pub(crate) struct NodeRow {
    id: Vec<u8>,
    name: String,
    master_keys: String,
    pepper_keys: String,
}

impl NodeRow {
    /// Binds the columns in the order of the statement.
    pub(crate) fn bind_to(self, query: SqlQuery) -> BoxedSqlQuery<'static, Sqlite, SqlQuery> {
        query
            .into_boxed()
            .bind::<Binary, _>(self.id)
            .bind::<Text, _>(self.name)
            .bind::<Text, _>(self.master_keys)
            .bind::<Text, _>(self.pepper_keys)
    }
}

impl From<&Node> for NodeRow {
    fn from(node: &Node) -> Self {
        let json = |keys: &[KeyFingerprint]| {
            let texts: Vec<String> = keys.iter().map(ToString::to_string).collect();
            serde_json::json!(texts).to_string()
        };
        Self {
            id: id_bytes(node.id),
            name: node.name.clone(),
            master_keys: json(&node.master),
            pepper_keys: json(&node.peppers),
        }
    }
}

impl TryFrom<NodeRow> for Node {
    type Error = StoreError;

    fn try_from(row: NodeRow) -> Result<Self, StoreError> {
        let reader = RowReader::of("nodes", &row.id);
        let keys = |json: &str| -> Option<Vec<KeyFingerprint>> {
            let texts: Vec<String> = serde_json::from_str(json).ok()?;
            texts.iter().map(|text| text.parse().ok()).collect()
        };
        Ok(Self {
            id: reader.id("id", &row.id)?,
            master: reader.require("master_keys", keys(&row.master_keys))?,
            peppers: reader.require("pepper_keys", keys(&row.pepper_keys))?,
            name: row.name,
        })
    }
}
