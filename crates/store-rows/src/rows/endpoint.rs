//! Rows of webhook endpoints; their secrets are sealed.

use diesel::prelude::*;
use oncharge_domain::{
    id::{ApiKeyId, EndpointId, MerchantId},
    time::Timestamp,
    webhook::{DisabledState, EndpointSecrets, PreviousSecret, WebhookEndpoint, WebhookSecret},
};
use oncharge_ports::StoreError;

use crate::{
    ColumnValue,
    row_reader::RowReader,
    schema::webhook_endpoints,
    seal::{Column, PREVIOUS_WEBHOOK_SECRET, SealedColumns, Sealer, WEBHOOK_SECRET},
};

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = webhook_endpoints)]
#[diesel(treat_none_as_default_value = false)]
pub struct EndpointRow {
    merchant_id: ColumnValue<MerchantId>,
    id: ColumnValue<EndpointId>,
    created_at: ColumnValue<Timestamp>,
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
    key_id: ColumnValue<ApiKeyId>,
    #[diesel(embed)]
    secrets: SecretColumns,
    disabled: Option<String>,
    disabled_at: Option<ColumnValue<Timestamp>>,
    failing_since: Option<ColumnValue<Timestamp>>,
    updated_at: ColumnValue<Timestamp>,
}

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = webhook_endpoints)]
#[diesel(treat_none_as_default_value = false, treat_none_as_null = true)]
pub struct SecretColumns {
    secret: Vec<u8>,
    secret_key_id: String,
    previous_secret: Option<Vec<u8>>,
    previous_secret_key_id: Option<String>,
    previous_secret_ends_at: Option<ColumnValue<Timestamp>>,
}

impl EndpointRow {
    pub fn seal(endpoint: &WebhookEndpoint, sealer: &Sealer) -> Result<Self, StoreError> {
        let disabled = endpoint.disabled;
        Ok(Self {
            merchant_id: endpoint.merchant.into(),
            id: endpoint.id.into(),
            created_at: endpoint.created_at.into(),
            settings: EndpointSettings {
                version: endpoint.version.into(),
                url: endpoint.url.as_str().to_owned(),
                key_id: endpoint.key.into(),
                secrets: SecretColumns::seal(endpoint.merchant, &endpoint.secrets, sealer)?,
                disabled: disabled.map(|disabled| disabled.reason.name().to_owned()),
                disabled_at: disabled.map(|disabled| disabled.at).map(Into::into),
                failing_since: endpoint.failing_since.map(Into::into),
                updated_at: endpoint.updated_at.into(),
            },
        })
    }

    pub fn open(self, sealer: &Sealer) -> Result<WebhookEndpoint, StoreError> {
        let reader = RowReader::with_id("webhook_endpoints", "merchant_id", self.merchant_id)?;
        let merchant = reader.id();
        let settings = self.settings;
        let disabled_at = reader.optional("disabled_at", settings.disabled_at)?;
        let disabled = match (settings.disabled, disabled_at) {
            (None, None) => None,
            (Some(name), Some(since)) => Some(DisabledState {
                reason: reader.require("disabled", name.parse().ok())?,
                at: since,
            }),
            _ => return Err(reader.corrupt("disabled_at")),
        };
        Ok(WebhookEndpoint {
            id: reader.value("id", self.id)?,
            merchant,
            version: reader.count("version", settings.version)?,
            url: reader.url(&settings.url)?,
            key: reader.value("key_id", settings.key_id)?,
            secrets: settings.secrets.open(reader, sealer)?,
            disabled,
            failing_since: reader.optional("failing_since", settings.failing_since)?,
            created_at: reader.value("created_at", self.created_at)?,
            updated_at: reader.value("updated_at", settings.updated_at)?,
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
            previous_secret_ends_at: previous.map(|previous| previous.ends_at).map(Into::into),
        })
    }

    fn open(
        self,
        reader: RowReader<MerchantId>,
        sealer: &Sealer,
    ) -> Result<EndpointSecrets, StoreError> {
        let uuid = reader.id().uuid();
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
            reader.optional("previous_secret_ends_at", self.previous_secret_ends_at)?,
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
