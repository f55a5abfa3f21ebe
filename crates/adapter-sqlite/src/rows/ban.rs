//! Rows of bans; identifiers only as peppered hashes.

use diesel::prelude::*;
use oncharge_domain::{
    blocklist::{Ban, IdentifierType, PepperedHash},
    keyring::KeyId,
    time::Timestamp,
};
use oncharge_ports::StoreError;

use super::{RowReader, id_bytes};
use crate::schema::bans;

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = bans, treat_none_as_default_value = false)]
pub(crate) struct BanRow {
    id: Vec<u8>,
    kind: String,
    pepper_id: String,
    hash: Vec<u8>,
    source: String,
    reason: Option<String>,
    created_at: i64,
    expires_at: i64,
    revoked_at: Option<i64>,
}

impl BanRow {
    pub(crate) fn of(ban: &Ban) -> Self {
        Self {
            id: id_bytes(ban.id),
            kind: ban.kind.name().to_owned(),
            pepper_id: ban.hash.pepper.as_str().to_owned(),
            hash: ban.hash.hash.to_vec(),
            source: ban.source.clone(),
            reason: ban.reason.clone(),
            created_at: ban.created_at.unix_micros(),
            expires_at: ban.expires_at.unix_micros(),
            revoked_at: ban.revoked_at.map(Timestamp::unix_micros),
        }
    }

    pub(crate) fn ban(self) -> Result<Ban, StoreError> {
        let reader = RowReader::of("bans", &self.id);
        let kinds = [IdentifierType::Email, IdentifierType::Phone];
        let kind = kinds.into_iter().find(|kind| kind.name() == self.kind);
        Ok(Ban {
            id: reader.id("id", &self.id)?,
            kind: reader.require("kind", kind)?,
            hash: PepperedHash {
                pepper: reader.require("pepper_id", KeyId::parse(&self.pepper_id))?,
                hash: reader.hash("hash", &self.hash)?,
            },
            source: self.source,
            reason: self.reason,
            created_at: reader.time("created_at", self.created_at)?,
            expires_at: reader.time("expires_at", self.expires_at)?,
            revoked_at: reader.optional_time("revoked_at", self.revoked_at)?,
        })
    }
}
