//! Rows of bans; identifiers only as peppered hashes.

use diesel::{pg::Pg, prelude::*};
use oncharge_domain::{
    blocklist::{Ban, IdentifierType, PepperedHash},
    id::BanId,
    keyring::KeyId,
    time::Timestamp,
};
use oncharge_ports::StoreError;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    rows::{RowReader, at},
    schema::bans,
};

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = bans, check_for_backend(Pg), treat_none_as_default_value = false)]
pub(crate) struct BanRow {
    id: Uuid,
    kind: String,
    pepper_id: String,
    hash: Vec<u8>,
    source: String,
    reason: Option<String>,
    created_at: OffsetDateTime,
    expires_at: OffsetDateTime,
    revoked_at: Option<OffsetDateTime>,
}

impl From<&Ban> for BanRow {
    fn from(ban: &Ban) -> Self {
        Self {
            id: ban.id.uuid(),
            kind: ban.kind.name().to_owned(),
            pepper_id: ban.hash.pepper.as_str().to_owned(),
            hash: ban.hash.hash.to_vec(),
            source: ban.source.clone(),
            reason: ban.reason.clone(),
            created_at: at(ban.created_at),
            expires_at: at(ban.expires_at),
            revoked_at: ban.revoked_at.map(at),
        }
    }
}

impl TryFrom<BanRow> for Ban {
    type Error = StoreError;

    fn try_from(row: BanRow) -> Result<Self, StoreError> {
        let id = BanId::from_uuid(row.id);
        let reader = RowReader {
            table: "bans",
            row: id,
        };
        let kind = match row.kind.as_str() {
            "email" => IdentifierType::Email,
            "phone" => IdentifierType::Phone,
            _ => return Err(reader.corrupt("kind")),
        };
        let hash = PepperedHash {
            pepper: reader.require("pepper_id", KeyId::parse(&row.pepper_id))?,
            hash: reader.require("hash", row.hash.try_into().ok())?,
        };
        Ok(Self {
            id,
            kind,
            hash,
            source: row.source,
            reason: row.reason,
            created_at: Timestamp::new(row.created_at),
            expires_at: Timestamp::new(row.expires_at),
            revoked_at: row.revoked_at.map(Timestamp::new),
        })
    }
}
