//! Merchants and API keys as rows; the signing key is sealed.

use diesel::prelude::*;
use oncharge_domain::{
    keyring::Place,
    merchant::{ApiKey, ApiKeyHash, Merchant, accent::Accent, logo::Logo, look::Look},
    psp::PspAccount,
    signing::SigningKey,
    text::MerchantName,
    time::Timestamp,
};
use oncharge_ports::StoreError;

use super::{Cells, id_bytes};
use crate::{
    schema::{api_keys, merchants},
    seal::{SealedColumns, Sealer},
};

/// A merchant; the changeset writes its settings, never its id or its creation.
#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = merchants)]
pub(crate) struct MerchantRow {
    pub(crate) id: Vec<u8>,
    #[diesel(embed)]
    pub(crate) settings: SettingsColumns,
    created_at: i64,
}

/// What may change of a merchant.
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
    look: LookColumns,
    #[diesel(embed)]
    access: AccessColumns,
}

/// Whether a merchant may take new payments. That it is enabled again is written, too.
#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = merchants, treat_none_as_null = true, treat_none_as_default_value = false)]
pub(crate) struct AccessColumns {
    disabled_at: Option<i64>,
}

/// How a merchant's checkout looks. What was taken away is written, too.
#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = merchants, treat_none_as_null = true, treat_none_as_default_value = false)]
pub(crate) struct LookColumns {
    accent: Option<String>,
    accent_dark: Option<String>,
    logo: Option<Vec<u8>>,
}

/// An API key.
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

/// The place of a signing key, which sealing binds it to.
pub(crate) fn signing_key_place(api_key: &[u8]) -> Place<'_> {
    Place {
        table: "api_keys",
        column: "signing_key",
        row: api_key,
    }
}

impl MerchantRow {
    /// The row.
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
                look: LookColumns::of(&merchant.look),
                access: AccessColumns {
                    disabled_at: merchant.disabled_at.map(Timestamp::unix_micros),
                },
            },
            created_at: merchant.created_at.unix_micros(),
        })
    }

    /// The merchant.
    pub(crate) fn merchant(self) -> Result<Merchant, StoreError> {
        let cells = Cells::of("merchants", &self.id);
        let settings = self.settings;
        let account = PspAccount::new(&settings.connector, &settings.account);
        let delay = settings.capture_delay_seconds;
        Ok(Merchant {
            id: cells.id("id", &self.id)?,
            version: cells.count("version", settings.version)?,
            name: cells.read("name", MerchantName::parse(&settings.name))?,
            account: cells.read("account", account)?,
            automatic_capture: settings.automatic_capture,
            capture_delay_seconds: cells.count("capture_delay_seconds", delay)?,
            origins: cells.read("origins", serde_json::from_str(&settings.origins))?,
            require_idempotency_key: settings.require_idempotency_key,
            look: settings.look.look(&cells)?,
            created_at: cells.time("created_at", self.created_at)?,
            disabled_at: cells.optional_time("disabled_at", settings.access.disabled_at)?,
        })
    }
}

impl LookColumns {
    fn of(look: &Look) -> Self {
        let text = |accent: Accent| accent.colour().to_string();
        Self {
            accent: look.accent.map(text),
            accent_dark: look.accent_dark.map(text),
            logo: look.logo.as_ref().map(|logo| logo.bytes().to_vec()),
        }
    }

    fn look(self, cells: &Cells<'_>) -> Result<Look, StoreError> {
        let accent = |column, text: Option<String>| {
            let read = |text: String| cells.read(column, Accent::kept(&text));
            text.map(read).transpose()
        };
        let logo = |bytes| cells.read("logo", Logo::new(bytes));
        Ok(Look {
            accent: accent("accent", self.accent)?,
            accent_dark: accent("accent_dark", self.accent_dark)?,
            logo: self.logo.map(logo).transpose()?,
        })
    }
}

impl ApiKeyRow {
    /// The row, its signing key sealed.
    pub(crate) fn of(key: &ApiKey, hash: &ApiKeyHash, sealer: &Sealer) -> Result<Self, StoreError> {
        let id = id_bytes(key.id);
        let hidden = sealer.seal(signing_key_place(&id), key.signing_key.expose_bytes())?;
        Ok(Self {
            id,
            merchant_id: id_bytes(key.merchant),
            key_hash: hash.bytes().to_vec(),
            signing_key: hidden.bytes,
            signing_key_key_id: hidden.key_id,
            key_hint: key.hint.clone(),
            created_at: key.created_at.unix_micros(),
            last_used_at: key.last_used_at.map(Timestamp::unix_micros),
            ends_at: key.ends_at.map(Timestamp::unix_micros),
        })
    }

    /// The key.
    pub(crate) fn api_key(self, sealer: &Sealer) -> Result<ApiKey, StoreError> {
        let cells = Cells::of("api_keys", &self.id);
        let hidden = SealedColumns {
            bytes: self.signing_key,
            key_id: self.signing_key_key_id,
        };
        let signing_key = sealer.open(signing_key_place(&self.id), hidden, |plain| {
            plain.try_into().ok().map(SigningKey::from_bytes)
        });
        Ok(ApiKey {
            id: cells.id("id", &self.id)?,
            merchant: cells.id("merchant_id", &self.merchant_id)?,
            signing_key: cells.found("signing_key", signing_key)?,
            hint: self.key_hint,
            created_at: cells.time("created_at", self.created_at)?,
            last_used_at: cells.optional_time("last_used_at", self.last_used_at)?,
            ends_at: cells.optional_time("ends_at", self.ends_at)?,
        })
    }
}
