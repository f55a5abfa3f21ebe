//! Rows of merchants and their API keys; signing keys are sealed.

use diesel::{pg::Pg, prelude::*};
use oncharge_domain::{
    id::{ApiKeyId, MerchantId},
    merchant::{ApiKey, ApiKeyHash, Merchant, accent::Accent, branding::Branding, logo::Logo},
    signing::SigningKey,
    text::MerchantName,
    time::Timestamp,
};
use oncharge_ports::StoreError;
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    rows::{RowReader, at},
    schema::{api_keys, merchants},
    seal::{SIGNING_KEY, SealedColumns, Sealer},
};

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = merchants, check_for_backend(Pg))]
pub(crate) struct MerchantRow {
    id: Uuid,
    version: i64,
    name: String,
    connector: String,
    account: String,
    automatic_capture: bool,
    capture_delay_seconds: i64,
    origins: Value,
    require_idempotency_key: bool,
    created_at: OffsetDateTime,
    #[diesel(embed)]
    branding: LookColumns,
    #[diesel(embed)]
    access: AccessColumns,
}

/// Whether a merchant may take new payments. Clearing it is written, too.
#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = merchants, check_for_backend(Pg), treat_none_as_null = true, treat_none_as_default_value = false)]
pub(crate) struct AccessColumns {
    disabled_at: Option<OffsetDateTime>,
}

/// A merchant's branding. Clearing a value is written, too.
#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = merchants, check_for_backend(Pg), treat_none_as_null = true, treat_none_as_default_value = false)]
pub(crate) struct LookColumns {
    accent: Option<String>,
    accent_dark: Option<String>,
    logo: Option<Vec<u8>>,
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = api_keys, check_for_backend(Pg), treat_none_as_default_value = false)]
pub(crate) struct ApiKeyRow {
    id: Uuid,
    merchant_id: Uuid,
    key_hash: Vec<u8>,
    signing_key: Vec<u8>,
    signing_key_key_id: String,
    key_hint: String,
    created_at: OffsetDateTime,
    last_used_at: Option<OffsetDateTime>,
    ends_at: Option<OffsetDateTime>,
}

impl From<&Merchant> for MerchantRow {
    fn from(merchant: &Merchant) -> Self {
        Self {
            id: merchant.id.uuid(),
            version: merchant.version.into(),
            name: merchant.name.as_str().to_owned(),
            connector: merchant.account.connector().to_owned(),
            account: merchant.account.account().to_owned(),
            automatic_capture: merchant.automatic_capture,
            capture_delay_seconds: merchant.capture_delay_seconds.into(),
            origins: Value::from(merchant.origins.clone()),
            require_idempotency_key: merchant.require_idempotency_key,
            created_at: at(merchant.created_at),
            branding: LookColumns::of(&merchant.branding),
            access: AccessColumns {
                disabled_at: merchant.disabled_at.map(at),
            },
        }
    }
}

impl TryFrom<MerchantRow> for Merchant {
    type Error = StoreError;

    fn try_from(row: MerchantRow) -> Result<Self, StoreError> {
        let id = MerchantId::from_uuid(row.id);
        let reader = RowReader {
            table: "merchants",
            row: id,
        };
        let origins: Option<Vec<String>> = serde_json::from_value(row.origins).ok();
        Ok(Self {
            id,
            version: reader.count("version", row.version)?,
            name: reader.require("name", MerchantName::parse(&row.name).ok())?,
            account: reader.account(&row.connector, &row.account)?,
            automatic_capture: row.automatic_capture,
            capture_delay_seconds: reader
                .count("capture_delay_seconds", row.capture_delay_seconds)?,
            origins: reader.require("origins", origins)?,
            require_idempotency_key: row.require_idempotency_key,
            created_at: Timestamp::new(row.created_at),
            branding: row.branding.branding(&reader)?,
            disabled_at: row.access.disabled_at.map(Timestamp::new),
        })
    }
}

impl LookColumns {
    fn of(branding: &Branding) -> Self {
        let text = |accent: Accent| accent.color().to_string();
        Self {
            accent: branding.accent.map(text),
            accent_dark: branding.accent_dark.map(text),
            logo: branding.logo.as_ref().map(|logo| logo.bytes().to_vec()),
        }
    }

    fn branding(self, reader: &RowReader<MerchantId>) -> Result<Branding, StoreError> {
        let accent = |column, text: Option<String>| {
            let kept = |text: String| reader.require(column, Accent::from_stored(&text).ok());
            text.map(kept).transpose()
        };
        let logo = |bytes| reader.require("logo", Logo::new(bytes).ok());
        Ok(Branding {
            accent: accent("accent", self.accent)?,
            accent_dark: accent("accent_dark", self.accent_dark)?,
            logo: self.logo.map(logo).transpose()?,
        })
    }
}

impl ApiKeyRow {
    /// Seals a key that is looked up by this hash.
    pub(crate) fn seal(
        key: &ApiKey,
        hash: &ApiKeyHash,
        sealer: &Sealer,
    ) -> Result<Self, StoreError> {
        let plain = key.signing_key.expose_bytes();
        let columns = sealer.seal(SIGNING_KEY, key.id.uuid().as_bytes(), plain)?;
        Ok(Self {
            id: key.id.uuid(),
            merchant_id: key.merchant.uuid(),
            key_hash: hash.bytes().to_vec(),
            signing_key: columns.bytes,
            signing_key_key_id: columns.key_id,
            key_hint: key.hint.clone(),
            created_at: at(key.created_at),
            last_used_at: key.last_used_at.map(at),
            ends_at: key.ends_at.map(at),
        })
    }

    pub(crate) fn open(self, sealer: &Sealer) -> Result<ApiKey, StoreError> {
        let row = self.id.as_bytes();
        let columns = SealedColumns {
            bytes: self.signing_key,
            key_id: self.signing_key_key_id,
        };
        let plain = sealer.open(SIGNING_KEY, row, columns)?;
        let bytes = plain.as_slice().try_into();
        let bytes = bytes.map_err(|_| SIGNING_KEY.corrupt(row))?;
        Ok(ApiKey {
            id: ApiKeyId::from_uuid(self.id),
            merchant: MerchantId::from_uuid(self.merchant_id),
            signing_key: SigningKey::from_bytes(bytes),
            hint: self.key_hint,
            created_at: Timestamp::new(self.created_at),
            last_used_at: self.last_used_at.map(Timestamp::new),
            ends_at: self.ends_at.map(Timestamp::new),
        })
    }
}
