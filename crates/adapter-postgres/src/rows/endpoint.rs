//! A merchant's webhook endpoint, as a row.

use diesel::{pg::Pg, prelude::*};
use oncharge_domain::{
    id::{ApiKeyId, MerchantId},
    time::Timestamp,
    webhook::{DisabledBecause, WebhookEndpoint},
};
use oncharge_ports::StoreError;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    rows::{Reader, at},
    schema::webhook_endpoints,
};

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = webhook_endpoints, check_for_backend(Pg))]
#[diesel(treat_none_as_default_value = false)]
pub(crate) struct EndpointRow {
    merchant_id: Uuid,
    url: String,
    key_id: Uuid,
    disabled: Option<String>,
    failing_since: Option<OffsetDateTime>,
    created_at: OffsetDateTime,
    updated_at: OffsetDateTime,
}

impl From<&WebhookEndpoint> for EndpointRow {
    fn from(endpoint: &WebhookEndpoint) -> Self {
        Self {
            merchant_id: endpoint.merchant.uuid(),
            url: endpoint.url.as_str().to_owned(),
            key_id: endpoint.key.uuid(),
            disabled: endpoint.disabled.map(|because| because.name().to_owned()),
            failing_since: endpoint.failing_since.map(at),
            created_at: at(endpoint.created_at),
            updated_at: at(endpoint.updated_at),
        }
    }
}

impl TryFrom<EndpointRow> for WebhookEndpoint {
    type Error = StoreError;

    fn try_from(row: EndpointRow) -> Result<Self, StoreError> {
        let merchant = MerchantId::from_uuid(row.merchant_id);
        let read = Reader {
            table: "webhook_endpoints",
            row: merchant,
        };
        let because = |name: &str| read.need("disabled", DisabledBecause::parse(name));
        Ok(Self {
            merchant,
            url: read.url(&row.url)?,
            key: ApiKeyId::from_uuid(row.key_id),
            disabled: row.disabled.as_deref().map(because).transpose()?,
            failing_since: row.failing_since.map(Timestamp::new),
            created_at: Timestamp::new(row.created_at),
            updated_at: Timestamp::new(row.updated_at),
        })
    }
}
