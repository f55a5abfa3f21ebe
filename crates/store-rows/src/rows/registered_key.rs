//! Rows of keys that stored data requires, as the statements of the key registry return them.

use diesel::prelude::*;
use oncharge_domain::{
    keyring::{KeyFingerprint, KeyId},
    time::Timestamp,
};
use oncharge_ports::{
    StoreError,
    key_registry::{MasterKeyUse, PepperUse, RegisteredKeys},
};

use crate::{
    ColumnValue,
    row_reader::RowReader,
    sql_types::{Binary, Bool, Instant, Nullable, Text},
};

#[derive(QueryableByName)]
pub struct RegisteredKeyRow {
    #[diesel(sql_type = Text)]
    purpose: String,
    #[diesel(sql_type = Text)]
    key_id: String,
    #[diesel(sql_type = Binary)]
    digest: Vec<u8>,
    #[diesel(sql_type = Nullable<Instant>)]
    used_until: Option<ColumnValue<Timestamp>>,
    #[diesel(sql_type = Bool)]
    is_idle: bool,
    #[diesel(sql_type = Bool)]
    has_live_bans: bool,
}

impl RegisteredKeyRow {
    pub fn add_to(self, keys: &mut RegisteredKeys) -> Result<(), StoreError> {
        let reader = RowReader::of("keys_in_use", self.key_id.as_str());
        let key = KeyFingerprint {
            id: reader.require("key_id", KeyId::parse(&self.key_id))?,
            digest: reader.parse("digest", self.digest.try_into())?,
        };
        if self.purpose == "pepper" {
            keys.peppers.push(PepperUse {
                key,
                has_live_bans: self.has_live_bans,
            });
        } else {
            let used_until = reader.optional("used_until", self.used_until)?;
            keys.master.push(MasterKeyUse {
                key,
                used_until: reader.require("used_until", used_until)?,
                is_idle: self.is_idle,
            });
        }
        Ok(())
    }
}
