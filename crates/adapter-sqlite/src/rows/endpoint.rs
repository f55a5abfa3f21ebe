//! Rows of webhook endpoints; their secrets are sealed.

use diesel::prelude::*;
use oncharge_domain::{
    keyring::SealContext,
    time::Timestamp,
    webhook::{
        DisableReason, DisabledState, EndpointSecrets, EndpointUrl, PreviousSecret,
        WebhookEndpoint, WebhookSecret,
    },
};
use oncharge_ports::StoreError;

use super::{RowReader, id_bytes};
use crate::{
    schema::webhook_endpoints,
    seal::{SealedColumns, Sealer},
};

const TABLE: &str = "webhook_endpoints";
const SECRET: &str = "secret";
const PREVIOUS_SECRET: &str = "previous_secret";

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = webhook_endpoints, treat_none_as_default_value = false)]
pub(crate) struct EndpointRow {
    pub(crate) merchant_id: Vec<u8>,
    pub(crate) id: Vec<u8>,
    created_at: i64,
    #[diesel(embed)]
    pub(crate) settings: EndpointSettings,
}

/// The columns that can change.
#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = webhook_endpoints)]
#[diesel(treat_none_as_default_value = false, treat_none_as_null = true)]
pub(crate) struct EndpointSettings {
    version: i64,
    url: String,
    key_id: Vec<u8>,
    #[diesel(embed)]
    secrets: SecretColumns,
    disabled: Option<String>,
    disabled_at: Option<i64>,
    failing_since: Option<i64>,
    updated_at: i64,
}

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = webhook_endpoints)]
#[diesel(treat_none_as_default_value = false, treat_none_as_null = true)]
pub(crate) struct SecretColumns {
    secret: Vec<u8>,
    secret_key_id: String,
    previous_secret: Option<Vec<u8>>,
    previous_secret_key_id: Option<String>,
    previous_secret_ends_at: Option<i64>,
}

/// The context to which a secret is bound when it is sealed.
fn place<'a>(column: &'static str, merchant: &'a [u8]) -> SealContext<'a> {
    SealContext {
        table: TABLE,
        column,
        row: merchant,
    }
}

impl EndpointRow {
    pub(crate) fn seal(endpoint: &WebhookEndpoint, sealer: &Sealer) -> Result<Self, StoreError> {
        let merchant_id = id_bytes(endpoint.merchant);
        let disabled = endpoint.disabled;
        Ok(Self {
            id: id_bytes(endpoint.id),
            created_at: endpoint.created_at.unix_micros(),
            settings: EndpointSettings {
                version: endpoint.version.into(),
                url: endpoint.url.as_str().to_owned(),
                key_id: id_bytes(endpoint.key),
                secrets: SecretColumns::seal(&merchant_id, &endpoint.secrets, sealer)?,
                disabled: disabled.map(|disabled| disabled.reason.name().to_owned()),
                disabled_at: disabled.map(|disabled| disabled.at.unix_micros()),
                failing_since: endpoint.failing_since.map(Timestamp::unix_micros),
                updated_at: endpoint.updated_at.unix_micros(),
            },
            merchant_id,
        })
    }

    pub(crate) fn open(self, sealer: &Sealer) -> Result<WebhookEndpoint, StoreError> {
        let reader = RowReader::of(TABLE, &self.merchant_id);
        let settings = self.settings;
        let disabled = match (settings.disabled.as_deref(), settings.disabled_at) {
            (None, None) => None,
            (Some(name), Some(since)) => Some(DisabledState {
                reason: reader.require("disabled", DisableReason::parse(name))?,
                at: reader.time("disabled_at", since)?,
            }),
            _ => return Err(reader.corrupt("disabled_at")),
        };
        Ok(WebhookEndpoint {
            id: reader.id("id", &self.id)?,
            merchant: reader.id("merchant_id", &self.merchant_id)?,
            version: reader.count("version", settings.version)?,
            // Accepts `http`, as sandbox URLs have; the rule was checked when the URL was set.
            url: reader.parse("url", EndpointUrl::parse(&settings.url, true))?,
            key: reader.id("key_id", &settings.key_id)?,
            secrets: settings.secrets.open(&self.merchant_id, sealer)?,
            disabled,
            failing_since: reader.optional_time("failing_since", settings.failing_since)?,
            created_at: reader.time("created_at", self.created_at)?,
            updated_at: reader.time("updated_at", settings.updated_at)?,
        })
    }
}

impl SecretColumns {
    /// Seals the secrets of this merchant's endpoint.
    pub(crate) fn seal(
        merchant: &[u8],
        secrets: &EndpointSecrets,
        sealer: &Sealer,
    ) -> Result<Self, StoreError> {
        let current = secrets.current.expose_bytes();
        let current = sealer.seal(place(SECRET, merchant), current)?;
        let previous = secrets.previous.as_ref();
        let replaced = previous.map(|previous| {
            let bytes = previous.secret.expose_bytes();
            sealer.seal(place(PREVIOUS_SECRET, merchant), bytes)
        });
        let (bytes, key_id) = match replaced.transpose()? {
            Some(columns) => (Some(columns.bytes), Some(columns.key_id)),
            None => (None, None),
        };
        Ok(Self {
            secret: current.bytes,
            secret_key_id: current.key_id,
            previous_secret: bytes,
            previous_secret_key_id: key_id,
            previous_secret_ends_at: previous.map(|previous| previous.ends_at.unix_micros()),
        })
    }

    fn open(self, merchant: &[u8], sealer: &Sealer) -> Result<EndpointSecrets, StoreError> {
        let reader = RowReader::of(TABLE, merchant);
        let open = |column, bytes, key_id| {
            let columns = SealedColumns { bytes, key_id };
            let secret = sealer.open(place(column, merchant), columns, |plain| {
                plain.try_into().ok().map(WebhookSecret::from_bytes)
            });
            reader.require(column, secret)
        };
        let previous = (
            self.previous_secret,
            self.previous_secret_key_id,
            self.previous_secret_ends_at,
        );
        let previous = match previous {
            (None, None, None) => None,
            (Some(bytes), Some(key_id), Some(end)) => Some(PreviousSecret {
                secret: open(PREVIOUS_SECRET, bytes, key_id)?,
                ends_at: reader.time("previous_secret_ends_at", end)?,
            }),
            _ => return Err(reader.corrupt(PREVIOUS_SECRET)),
        };
        Ok(EndpointSecrets {
            current: open(SECRET, self.secret, self.secret_key_id)?,
            previous,
        })
    }
}
