//! Rows of webhook endpoints; their secrets are sealed.

use diesel::prelude::*;
use oncharge_domain::{
    id::{ApiKeyId, EndpointId, MerchantId},
    time::Timestamp,
    webhook::{DisabledState, EndpointSecrets, PreviousSecret, WebhookEndpoint, WebhookSecret},
};
use oncharge_ports::StoreError;

use crate::{
    Value,
    row_reader::RowReader,
    schema::webhook_endpoints,
    seal::{Column, PREVIOUS_WEBHOOK_SECRET, SealedColumns, Sealer, WEBHOOK_SECRET},
};

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = webhook_endpoints)]
#[diesel(treat_none_as_default_value = false)]
pub struct EndpointRow {
    merchant_id: Value<MerchantId>,
    id: Value<EndpointId>,
    created_at: Value<Timestamp>,
    #[diesel(embed)]
    pub settings: EndpointSettings,
}

/// The columns that can change.
#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = webhook_endpoints)]
#[diesel(treat_none_as_default_value = false, treat_none_as_null = true)]
pub struct EndpointSettings {
    version: i64,
    url: String,
    key_id: Value<ApiKeyId>,
    #[diesel(embed)]
    secrets: SecretColumns,
    disabled: Option<String>,
    disabled_at: Option<Value<Timestamp>>,
    failing_since: Option<Value<Timestamp>>,
    updated_at: Value<Timestamp>,
}

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = webhook_endpoints)]
#[diesel(treat_none_as_default_value = false, treat_none_as_null = true)]
pub struct SecretColumns {
    secret: Vec<u8>,
    secret_key_id: String,
    previous_secret: Option<Vec<u8>>,
    previous_secret_key_id: Option<String>,
    previous_secret_ends_at: Option<Value<Timestamp>>,
}

impl EndpointRow {
    pub fn seal(endpoint: &WebhookEndpoint, sealer: &Sealer) -> Result<Self, StoreError> {
        let disabled = endpoint.disabled;
        Ok(Self {
            merchant_id: Value(endpoint.merchant),
            id: Value(endpoint.id),
            created_at: Value(endpoint.created_at),
            settings: EndpointSettings {
                version: endpoint.version.into(),
                url: endpoint.url.as_str().to_owned(),
                key_id: Value(endpoint.key),
                secrets: SecretColumns::seal(endpoint.merchant, &endpoint.secrets, sealer)?,
                disabled: disabled.map(|disabled| disabled.reason.name().to_owned()),
                disabled_at: disabled.map(|disabled| disabled.at).map(Value),
                failing_since: endpoint.failing_since.map(Value),
                updated_at: Value(endpoint.updated_at),
            },
        })
    }

    pub fn open(self, sealer: &Sealer) -> Result<WebhookEndpoint, StoreError> {
        let merchant = self.merchant_id.0;
        let reader = RowReader::of("webhook_endpoints", merchant);
        let settings = self.settings;
        let disabled = match (settings.disabled, settings.disabled_at.map(Value::get)) {
            (None, None) => None,
            (Some(name), Some(since)) => Some(DisabledState {
                reason: reader.require("disabled", name.parse().ok())?,
                at: since,
            }),
            _ => return Err(reader.corrupt("disabled_at")),
        };
        Ok(WebhookEndpoint {
            id: self.id.0,
            merchant,
            version: reader.count("version", settings.version)?,
            url: reader.url(&settings.url)?,
            key: settings.key_id.0,
            secrets: settings.secrets.open(merchant, sealer)?,
            disabled,
            failing_since: settings.failing_since.map(Value::get),
            created_at: self.created_at.0,
            updated_at: settings.updated_at.0,
        })
    }
}

impl SecretColumns {
    /// Seals the secrets of this merchant's endpoint.
    pub fn seal(
        merchant: MerchantId,
        secrets: &EndpointSecrets,
        sealer: &Sealer,
    ) -> Result<Self, StoreError> {
        let row = merchant.uuid();
        let seal = |column: Column, secret: &WebhookSecret| {
            sealer.seal(column, row.as_bytes(), secret.expose_bytes())
        };
        let current = seal(WEBHOOK_SECRET, &secrets.current)?;
        let previous = secrets.previous.as_ref();
        let replaced = previous.map(|previous| seal(PREVIOUS_WEBHOOK_SECRET, &previous.secret));
        let (bytes, key_id) = match replaced.transpose()? {
            Some(columns) => (Some(columns.bytes), Some(columns.key_id)),
            None => (None, None),
        };
        Ok(Self {
            secret: current.bytes,
            secret_key_id: current.key_id,
            previous_secret: bytes,
            previous_secret_key_id: key_id,
            previous_secret_ends_at: previous.map(|previous| previous.ends_at).map(Value),
        })
    }

    fn open(self, merchant: MerchantId, sealer: &Sealer) -> Result<EndpointSecrets, StoreError> {
        let uuid = merchant.uuid();
        let row = uuid.as_bytes();
        let open = |column: Column, bytes, key_id| {
            let plain = sealer.open(column, row, SealedColumns { bytes, key_id })?;
            let bytes = plain.as_slice().try_into();
            let bytes = bytes.map_err(|_| column.corrupt(row))?;
            Ok::<_, StoreError>(WebhookSecret::from_bytes(bytes))
        };
        let previous = (
            self.previous_secret,
            self.previous_secret_key_id,
            self.previous_secret_ends_at.map(Value::get),
        );
        let previous = match previous {
            (None, None, None) => None,
            (Some(bytes), Some(key_id), Some(end)) => Some(PreviousSecret {
                secret: open(PREVIOUS_WEBHOOK_SECRET, bytes, key_id)?,
                ends_at: end,
            }),
            _ => return Err(PREVIOUS_WEBHOOK_SECRET.corrupt(row)),
        };
        Ok(EndpointSecrets {
            current: open(WEBHOOK_SECRET, self.secret, self.secret_key_id)?,
            previous,
        })
    }
}
