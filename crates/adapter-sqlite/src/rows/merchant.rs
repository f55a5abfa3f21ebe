//! Rows of merchants and their API keys; signing keys are sealed.

use diesel::prelude::*;
use oncharge_domain::{
    keyring::SealContext,
    merchant::{ApiKey, ApiKeyHash, Merchant, accent::Accent, branding::Branding, logo::Logo},
    psp::PspAccount,
    signing::SigningKey,
    text::MerchantName,
    time::Timestamp,
};
use oncharge_ports::StoreError;

use super::{RowReader, id_bytes};
use crate::{
    schema::{api_keys, merchants},
    seal::{SealedColumns, Sealer},
};

/// A merchant; updates write its settings, never its id or creation time.
#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = merchants)]
pub(crate) struct MerchantRow {
    pub(crate) id: Vec<u8>,
    #[diesel(embed)]
    pub(crate) settings: SettingsColumns,
    created_at: i64,
}

/// The columns of a merchant that can change.
#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = merchants)]
pub(crate) struct SettingsColumns {
    version: i64,
    name: String,
    connector: String,
    account: String,
    automatic_capture: bool,
    capture_delay_seconds: i64,
    origins: String,
    require_idempotency_key: bool,
    #[diesel(embed)]
    branding: LookColumns,
    #[diesel(embed)]
    access: AccessColumns,
}

/// Whether a merchant may take new payments. Clearing it is written, too.
#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = merchants, treat_none_as_null = true, treat_none_as_default_value = false)]
pub(crate) struct AccessColumns {
    disabled_at: Option<i64>,
}

/// A merchant's branding. Clearing a value is written, too.
#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = merchants, treat_none_as_null = true, treat_none_as_default_value = false)]
pub(crate) struct LookColumns {
    accent: Option<String>,
    accent_dark: Option<String>,
    logo: Option<Vec<u8>>,
}

#[derive(Queryable, QueryableByName, Selectable, Insertable)]
#[diesel(table_name = api_keys, treat_none_as_default_value = false)]
pub(crate) struct ApiKeyRow {
    id: Vec<u8>,
    merchant_id: Vec<u8>,
    key_hash: Vec<u8>,
    signing_key: Vec<u8>,
    signing_key_key_id: String,
    key_hint: String,
    created_at: i64,
    last_used_at: Option<i64>,
    ends_at: Option<i64>,
}

/// The context to which a signing key is bound when it is sealed.
pub(crate) fn signing_key_place(api_key: &[u8]) -> SealContext<'_> {
    SealContext {
        table: "api_keys",
        column: "signing_key",
        row: api_key,
    }
}

impl MerchantRow {
    pub(crate) fn of(merchant: &Merchant) -> Result<Self, StoreError> {
        let origins = serde_json::to_string(&merchant.origins);
        Ok(Self {
            id: id_bytes(merchant.id),
            settings: SettingsColumns {
                version: merchant.version.into(),
                name: merchant.name.as_str().to_owned(),
                connector: merchant.account.connector().to_owned(),
                account: merchant.account.account().to_owned(),
                automatic_capture: merchant.automatic_capture,
                capture_delay_seconds: merchant.capture_delay_seconds.into(),
                origins: origins.map_err(|error| StoreError::Failed(error.into()))?,
                require_idempotency_key: merchant.require_idempotency_key,
                branding: LookColumns::of(&merchant.branding),
                access: AccessColumns {
                    disabled_at: merchant.disabled_at.map(Timestamp::unix_micros),
                },
            },
            created_at: merchant.created_at.unix_micros(),
        })
    }

    pub(crate) fn merchant(self) -> Result<Merchant, StoreError> {
        let reader = RowReader::of("merchants", &self.id);
        let settings = self.settings;
        let account = PspAccount::new(&settings.connector, &settings.account);
        let delay = settings.capture_delay_seconds;
        Ok(Merchant {
            id: reader.id("id", &self.id)?,
            version: reader.count("version", settings.version)?,
            name: reader.parse("name", MerchantName::parse(&settings.name))?,
            account: reader.parse("account", account)?,
            automatic_capture: settings.automatic_capture,
            capture_delay_seconds: reader.count("capture_delay_seconds", delay)?,
            origins: reader.parse("origins", serde_json::from_str(&settings.origins))?,
            require_idempotency_key: settings.require_idempotency_key,
            branding: settings.branding.branding(&reader)?,
            created_at: reader.time("created_at", self.created_at)?,
            disabled_at: reader.optional_time("disabled_at", settings.access.disabled_at)?,
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

    fn branding(self, reader: &RowReader<'_>) -> Result<Branding, StoreError> {
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
    pub(crate) fn seal(
        key: &ApiKey,
        hash: &ApiKeyHash,
        sealer: &Sealer,
    ) -> Result<Self, StoreError> {
        let id = id_bytes(key.id);
        let sealed_value = sealer.seal(signing_key_place(&id), key.signing_key.expose_bytes())?;
        Ok(Self {
            id,
            merchant_id: id_bytes(key.merchant),
            key_hash: hash.bytes().to_vec(),
            signing_key: sealed_value.bytes,
            signing_key_key_id: sealed_value.key_id,
            key_hint: key.hint.clone(),
            created_at: key.created_at.unix_micros(),
            last_used_at: key.last_used_at.map(Timestamp::unix_micros),
            ends_at: key.ends_at.map(Timestamp::unix_micros),
        })
    }

    pub(crate) fn open(self, sealer: &Sealer) -> Result<ApiKey, StoreError> {
        let reader = RowReader::of("api_keys", &self.id);
        let sealed_value = SealedColumns {
            bytes: self.signing_key,
            key_id: self.signing_key_key_id,
        };
        let signing_key = sealer.open(signing_key_place(&self.id), sealed_value, |plain| {
            plain.try_into().ok().map(SigningKey::from_bytes)
        });
        Ok(ApiKey {
            id: reader.id("id", &self.id)?,
            merchant: reader.id("merchant_id", &self.merchant_id)?,
            signing_key: reader.require("signing_key", signing_key)?,
            hint: self.key_hint,
            created_at: reader.time("created_at", self.created_at)?,
            last_used_at: reader.optional_time("last_used_at", self.last_used_at)?,
            ends_at: reader.optional_time("ends_at", self.ends_at)?,
        })
    }
}
