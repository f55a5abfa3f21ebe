//! Rows of merchants and their API keys; signing keys are sealed.

use diesel::prelude::*;
use oncharge_domain::{
    branding::{Branding, accent::Accent, logo::Logo},
    id::{ApiKeyId, MerchantId},
    merchant::{ApiKey, ApiKeyHash, Merchant},
    psp::PspAccount,
    signing::SigningKey,
    text::MerchantName,
    time::Timestamp,
};
use oncharge_ports::StoreError;

use crate::{
    ColumnValue, JsonText,
    row_reader::RowReader,
    schema::{api_keys, merchants},
    seal::{SIGNING_KEY, SealedColumns, Sealer},
};

/// A merchant; updates write its settings, never its id or creation time.
#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = merchants)]
pub struct MerchantRow {
    id: ColumnValue<MerchantId>,
    #[diesel(embed)]
    pub settings: SettingsColumns,
    created_at: ColumnValue<Timestamp>,
}

/// The columns of a merchant that can change.
#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = merchants)]
pub struct SettingsColumns {
    version: i64,
    name: String,
    connector: String,
    account: String,
    automatic_capture: bool,
    capture_delay_seconds: i64,
    origins: JsonText,
    require_idempotency_key: bool,
    #[diesel(embed)]
    branding: LookColumns,
    #[diesel(embed)]
    access: AccessColumns,
}

/// Whether a merchant may take new payments. Clearing it is written, too.
#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = merchants, treat_none_as_null = true, treat_none_as_default_value = false)]
pub struct AccessColumns {
    disabled_at: Option<ColumnValue<Timestamp>>,
}

/// A merchant's branding. Clearing a value is written, too.
#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = merchants, treat_none_as_null = true, treat_none_as_default_value = false)]
pub struct LookColumns {
    accent: Option<String>,
    accent_dark: Option<String>,
    logo: Option<Vec<u8>>,
}

#[derive(Queryable, QueryableByName, Selectable, Insertable)]
#[diesel(table_name = api_keys, treat_none_as_default_value = false)]
pub struct ApiKeyRow {
    id: ColumnValue<ApiKeyId>,
    merchant_id: ColumnValue<MerchantId>,
    key_hash: Vec<u8>,
    signing_key: Vec<u8>,
    signing_key_key_id: String,
    key_hint: String,
    created_at: ColumnValue<Timestamp>,
    last_used_at: Option<ColumnValue<Timestamp>>,
    ends_at: Option<ColumnValue<Timestamp>>,
}

impl TryFrom<&Merchant> for MerchantRow {
    type Error = StoreError;

    fn try_from(merchant: &Merchant) -> Result<Self, StoreError> {
        Ok(Self {
            id: merchant.id.into(),
            settings: SettingsColumns {
                version: merchant.version.into(),
                name: merchant.name.as_str().to_owned(),
                connector: merchant.account.connector().to_owned(),
                account: merchant.account.account().to_owned(),
                automatic_capture: merchant.automatic_capture,
                capture_delay_seconds: merchant.capture_delay_seconds.into(),
                origins: JsonText::of(&merchant.origins)?,
                require_idempotency_key: merchant.require_idempotency_key,
                branding: LookColumns::of(&merchant.branding),
                access: AccessColumns {
                    disabled_at: merchant.disabled_at.map(Into::into),
                },
            },
            created_at: merchant.created_at.into(),
        })
    }
}

impl TryFrom<MerchantRow> for Merchant {
    type Error = StoreError;

    fn try_from(row: MerchantRow) -> Result<Self, StoreError> {
        let reader = RowReader::with_id("merchants", "id", row.id)?;
        let settings = row.settings;
        let delay = settings.capture_delay_seconds;
        Ok(Self {
            id: reader.id(),
            version: reader.count("version", settings.version)?,
            name: reader.parse("name", MerchantName::parse(&settings.name))?,
            account: reader.account(&settings.connector, &settings.account)?,
            automatic_capture: settings.automatic_capture,
            capture_delay_seconds: reader.count("capture_delay_seconds", delay)?,
            origins: reader.require("origins", settings.origins.parse())?,
            require_idempotency_key: settings.require_idempotency_key,
            branding: settings.branding.branding(reader)?,
            created_at: reader.value("created_at", row.created_at)?,
            disabled_at: reader.optional("disabled_at", settings.access.disabled_at)?,
        })
    }
}

/// Parses an account from its two columns.
pub fn psp_account(connector: &str, account: &str) -> Result<PspAccount, StoreError> {
    let row = format!("{connector}/{account}");
    RowReader::of("merchants", row.as_str()).account(connector, account)
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

    fn branding(self, reader: RowReader<MerchantId>) -> Result<Branding, StoreError> {
        let accent = |column, text: Option<String>| {
            let read = |text: String| reader.parse(column, Accent::from_stored(&text));
            text.map(read).transpose()
        };
        let logo = |bytes| reader.parse("logo", Logo::new(bytes));
        Ok(Branding {
            accent: accent("accent", self.accent)?,
            accent_dark: accent("accent_dark", self.accent_dark)?,
            logo: self.logo.map(logo).transpose()?,
        })
    }
}

impl ApiKeyRow {
    pub fn seal(key: &ApiKey, hash: &ApiKeyHash, sealer: &Sealer) -> Result<Self, StoreError> {
        let row = key.id.uuid();
        let plain = key.signing_key.expose_bytes();
        let sealed_value = sealer.seal(SIGNING_KEY, row.as_bytes(), plain)?;
        Ok(Self {
            id: key.id.into(),
            merchant_id: key.merchant.into(),
            key_hash: hash.bytes().to_vec(),
            signing_key: sealed_value.bytes,
            signing_key_key_id: sealed_value.key_id,
            key_hint: key.hint.clone(),
            created_at: key.created_at.into(),
            last_used_at: key.last_used_at.map(Into::into),
            ends_at: key.ends_at.map(Into::into),
        })
    }

    pub fn open(self, sealer: &Sealer) -> Result<ApiKey, StoreError> {
        let reader = RowReader::with_id("api_keys", "id", self.id)?;
        let id = reader.id().uuid();
        let row = id.as_bytes();
        let sealed_value = SealedColumns {
            bytes: self.signing_key,
            key_id: self.signing_key_key_id,
        };
        let plain = sealer.open(SIGNING_KEY, row, sealed_value)?;
        let bytes = plain.as_slice().try_into();
        let bytes = bytes.map_err(|_| SIGNING_KEY.corrupt(row))?;
        Ok(ApiKey {
            id: reader.id(),
            merchant: reader.value("merchant_id", self.merchant_id)?,
            signing_key: SigningKey::from_bytes(bytes),
            hint: self.key_hint,
            created_at: reader.value("created_at", self.created_at)?,
            last_used_at: reader.optional("last_used_at", self.last_used_at)?,
            ends_at: reader.optional("ends_at", self.ends_at)?,
        })
    }
}
