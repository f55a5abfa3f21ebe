//! Rows of webhook endpoints; their secrets are sealed.

use diesel::{pg::Pg, prelude::*};
use oncharge_domain::{
    id::{ApiKeyId, EndpointId, MerchantId},
    time::Timestamp,
    webhook::{
        DisableReason, DisabledState, EndpointSecrets, PreviousSecret, WebhookEndpoint,
        WebhookSecret,
    },
};
use oncharge_ports::StoreError;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    rows::{RowReader, at},
    schema::webhook_endpoints,
    seal::{Column, PREVIOUS_WEBHOOK_SECRET, SealedColumns, Sealer, WEBHOOK_SECRET},
};

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = webhook_endpoints, check_for_backend(Pg))]
#[diesel(treat_none_as_default_value = false)]
pub(crate) struct EndpointRow {
    merchant_id: Uuid,
    id: Uuid,
    created_at: OffsetDateTime,
    #[diesel(embed)]
    pub(crate) settings: EndpointSettings,
}

/// The columns that can change.
#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = webhook_endpoints, check_for_backend(Pg))]
#[diesel(treat_none_as_default_value = false, treat_none_as_null = true)]
pub(crate) struct EndpointSettings {
    version: i64,
    url: String,
    key_id: Uuid,
    #[diesel(embed)]
    secrets: SecretColumns,
    disabled: Option<String>,
    disabled_at: Option<OffsetDateTime>,
    failing_since: Option<OffsetDateTime>,
    updated_at: OffsetDateTime,
}

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = webhook_endpoints, check_for_backend(Pg))]
#[diesel(treat_none_as_default_value = false, treat_none_as_null = true)]
pub(crate) struct SecretColumns {
    secret: Vec<u8>,
    secret_key_id: String,
    previous_secret: Option<Vec<u8>>,
    previous_secret_key_id: Option<String>,
    previous_secret_ends_at: Option<OffsetDateTime>,
}

impl EndpointRow {
    pub(crate) fn seal(endpoint: &WebhookEndpoint, sealer: &Sealer) -> Result<Self, StoreError> {
        let disabled = endpoint.disabled;
        Ok(Self {
            merchant_id: endpoint.merchant.uuid(),
            id: endpoint.id.uuid(),
            created_at: at(endpoint.created_at),
            settings: EndpointSettings {
                version: endpoint.version.into(),
                url: endpoint.url.as_str().to_owned(),
                key_id: endpoint.key.uuid(),
                secrets: SecretColumns::seal(endpoint.merchant, &endpoint.secrets, sealer)?,
                disabled: disabled.map(|disabled| disabled.reason.name().to_owned()),
                disabled_at: disabled.map(|disabled| at(disabled.at)),
                failing_since: endpoint.failing_since.map(at),
                updated_at: at(endpoint.updated_at),
            },
        })
    }

    pub(crate) fn open(self, sealer: &Sealer) -> Result<WebhookEndpoint, StoreError> {
        let merchant = MerchantId::from_uuid(self.merchant_id);
        let reader = RowReader {
            table: "webhook_endpoints",
            row: merchant,
        };
        let settings = self.settings;
        let disabled = match (settings.disabled, settings.disabled_at) {
            (None, None) => None,
            (Some(name), Some(since)) => Some(DisabledState {
                reason: reader.require("disabled", DisableReason::parse(&name))?,
                at: Timestamp::new(since),
            }),
            _ => return Err(reader.corrupt("disabled_at")),
        };
        Ok(WebhookEndpoint {
            id: EndpointId::from_uuid(self.id),
            merchant,
            version: reader.count("version", settings.version)?,
            url: reader.url(&settings.url)?,
            key: ApiKeyId::from_uuid(settings.key_id),
            secrets: settings.secrets.open(merchant, sealer)?,
            disabled,
            failing_since: settings.failing_since.map(Timestamp::new),
            created_at: Timestamp::new(self.created_at),
            updated_at: Timestamp::new(settings.updated_at),
        })
    }
}

impl SecretColumns {
    /// Seals the secrets of this merchant's endpoint.
    pub(crate) fn seal(
        merchant: MerchantId,
        secrets: &EndpointSecrets,
        sealer: &Sealer,
    ) -> Result<Self, StoreError> {
        let seal = |column: Column, secret: &WebhookSecret| {
            sealer.seal(column, merchant.uuid().as_bytes(), secret.expose_bytes())
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
            previous_secret_ends_at: previous.map(|previous| at(previous.ends_at)),
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
            self.previous_secret_ends_at,
        );
        let previous = match previous {
            (None, None, None) => None,
            (Some(bytes), Some(key_id), Some(end)) => Some(PreviousSecret {
                secret: open(PREVIOUS_WEBHOOK_SECRET, bytes, key_id)?,
                ends_at: Timestamp::new(end),
            }),
            _ => return Err(PREVIOUS_WEBHOOK_SECRET.corrupt(row)),
        };
        Ok(EndpointSecrets {
            current: open(WEBHOOK_SECRET, self.secret, self.secret_key_id)?,
            previous,
        })
    }
}
