//! Rows of bans; identifiers only as peppered hashes.

use diesel::prelude::*;
use oncharge_domain::{
    blocklist::{Ban, IdentifierType, PepperedHash},
    id::BanId,
    keyring::KeyId,
    time::Timestamp,
};
use oncharge_ports::StoreError;

use crate::{Value, row_reader::RowReader, schema::bans};

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = bans, treat_none_as_default_value = false)]
pub struct BanRow {
    id: Value<BanId>,
    kind: String,
    pepper_id: String,
    hash: Vec<u8>,
    source: String,
    reason: Option<String>,
    created_at: Value<Timestamp>,
    expires_at: Value<Timestamp>,
    revoked_at: Option<Value<Timestamp>>,
}

impl From<&Ban> for BanRow {
    fn from(ban: &Ban) -> Self {
        Self {
            id: Value(ban.id),
            kind: ban.kind.name().to_owned(),
            pepper_id: ban.hash.pepper.as_str().to_owned(),
            hash: ban.hash.hash.to_vec(),
            source: ban.source.clone(),
            reason: ban.reason.clone(),
            created_at: Value(ban.created_at),
            expires_at: Value(ban.expires_at),
            revoked_at: ban.revoked_at.map(Value),
        }
    }
}

impl TryFrom<BanRow> for Ban {
    type Error = StoreError;

    fn try_from(row: BanRow) -> Result<Self, StoreError> {
        let id = row.id.0;
        let reader = RowReader::of("bans", id);
        let kind = match row.kind.as_str() {
            "email" => IdentifierType::Email,
            "phone" => IdentifierType::Phone,
            _ => return Err(reader.corrupt("kind")),
        };
        let hash = PepperedHash {
            pepper: reader.require("pepper_id", KeyId::parse(&row.pepper_id))?,
            hash: reader.parse("hash", row.hash.try_into())?,
        };
        Ok(Self {
            id,
            kind,
            hash,
            source: row.source,
            reason: row.reason,
            created_at: row.created_at.0,
            expires_at: row.expires_at.0,
            revoked_at: row.revoked_at.map(Value::get),
        })
    }
}
