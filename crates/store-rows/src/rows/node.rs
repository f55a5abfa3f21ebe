//! Rows of nodes; their keys only as fingerprints.

use diesel::prelude::*;
use oncharge_domain::{id::NodeId, keyring::KeyFingerprint};
use oncharge_ports::{StoreError, key_registry::Node};

use crate::{ColumnValue, JsonText, row_reader::RowReader, schema::nodes};

#[derive(Queryable, Selectable)]
#[diesel(table_name = nodes)]
pub struct NodeRow {
    pub id: ColumnValue<NodeId>,
    pub name: String,
    pub master_keys: JsonText,
    pub pepper_keys: JsonText,
}

impl TryFrom<&Node> for NodeRow {
    type Error = StoreError;

    fn try_from(node: &Node) -> Result<Self, StoreError> {
        let texts = |keys: &[KeyFingerprint]| {
            let texts: Vec<String> = keys.iter().map(ToString::to_string).collect();
            JsonText::of(&texts)
        };
        Ok(Self {
            id: node.id.into(),
            name: node.name.clone(),
            master_keys: texts(&node.master)?,
            pepper_keys: texts(&node.peppers)?,
        })
    }
}

impl TryFrom<NodeRow> for Node {
    type Error = StoreError;

    fn try_from(row: NodeRow) -> Result<Self, StoreError> {
        let reader = RowReader::with_id("nodes", "id", row.id)?;
        let keys = |value: &JsonText| -> Option<Vec<KeyFingerprint>> {
            let texts: Vec<String> = value.parse()?;
            texts.iter().map(|text| text.parse().ok()).collect()
        };
        Ok(Self {
            id: reader.id(),
            master: reader.require("master_keys", keys(&row.master_keys))?,
            peppers: reader.require("pepper_keys", keys(&row.pepper_keys))?,
            name: row.name,
        })
    }
}
