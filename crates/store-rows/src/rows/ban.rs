//! Rows of bans; identifiers only as peppered hashes.

use diesel::prelude::*;
use oncharge_domain::{
    blocklist::{Ban, IdentifierType, PepperedHash},
    id::BanId,
    keyring::KeyId,
    time::Timestamp,
};
use oncharge_ports::StoreError;

use crate::{ColumnValue, row_reader::RowReader, schema::bans};

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = bans, treat_none_as_default_value = false)]
pub struct BanRow {
    id: ColumnValue<BanId>,
    kind: String,
    pepper_id: String,
    hash: Vec<u8>,
    source: String,
    reason: Option<String>,
    created_at: ColumnValue<Timestamp>,
    expires_at: ColumnValue<Timestamp>,
    revoked_at: Option<ColumnValue<Timestamp>>,
}

impl From<&Ban> for BanRow {
    fn from(ban: &Ban) -> Self {
        Self {
            id: ban.id.into(),
            kind: ban.kind.name().to_owned(),
            pepper_id: ban.hash.pepper.as_str().to_owned(),
            hash: ban.hash.hash.to_vec(),
            source: ban.source.clone(),
            reason: ban.reason.clone(),
            created_at: ban.created_at.into(),
            expires_at: ban.expires_at.into(),
            revoked_at: ban.revoked_at.map(Into::into),
        }
    }
}

impl TryFrom<BanRow> for Ban {
    type Error = StoreError;

    fn try_from(row: BanRow) -> Result<Self, StoreError> {
        let reader = RowReader::with_id("bans", "id", row.id)?;
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
            id: reader.id(),
            kind,
            hash,
            source: row.source,
            reason: row.reason,
            created_at: reader.value("created_at", row.created_at)?,
            expires_at: reader.value("expires_at", row.expires_at)?,
            revoked_at: reader.optional("revoked_at", row.revoked_at)?,
        })
    }
}
