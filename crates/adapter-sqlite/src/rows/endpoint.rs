//! Webhook endpoints as rows.

use diesel::prelude::*;
use oncharge_domain::{
    time::Timestamp,
    webhook::{DisabledBecause, EndpointUrl, WebhookEndpoint},
};
use oncharge_ports::StoreError;

use super::{Cells, id_bytes};
use crate::schema::webhook_endpoints;

/// An endpoint.
#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = webhook_endpoints, treat_none_as_default_value = false)]
pub(crate) struct EndpointRow {
    pub(crate) merchant_id: Vec<u8>,
    pub(crate) url: String,
    pub(crate) key_id: Vec<u8>,
    disabled: Option<String>,
    failing_since: Option<i64>,
    created_at: i64,
    pub(crate) updated_at: i64,
}

/// What an endpoint is written over with: everything but the merchant and the creation.
#[derive(AsChangeset)]
#[diesel(table_name = webhook_endpoints, treat_none_as_null = true)]
pub(crate) struct EndpointChange {
    url: String,
    key_id: Vec<u8>,
    disabled: Option<String>,
    failing_since: Option<i64>,
    updated_at: i64,
}

impl EndpointRow {
    /// The row.
    pub(crate) fn of(endpoint: &WebhookEndpoint) -> Self {
        Self {
            merchant_id: id_bytes(endpoint.merchant),
            url: endpoint.url.as_str().to_owned(),
            key_id: id_bytes(endpoint.key),
            disabled: endpoint.disabled.map(|because| because.name().to_owned()),
            failing_since: endpoint.failing_since.map(Timestamp::unix_micros),
            created_at: endpoint.created_at.unix_micros(),
            updated_at: endpoint.updated_at.unix_micros(),
        }
    }

    /// What is written where the merchant has an endpoint already.
    pub(crate) fn change(&self) -> EndpointChange {
        EndpointChange {
            url: self.url.clone(),
            key_id: self.key_id.clone(),
            disabled: self.disabled.clone(),
            failing_since: self.failing_since,
            updated_at: self.updated_at,
        }
    }

    /// The endpoint.
    pub(crate) fn endpoint(self) -> Result<WebhookEndpoint, StoreError> {
        let cells = Cells::of("webhook_endpoints", &self.merchant_id);
        let disabled = match self.disabled.as_deref() {
            Some(name) => Some(cells.found("disabled", DisabledBecause::parse(name))?),
            None => None,
        };
        Ok(WebhookEndpoint {
            merchant: cells.id("merchant_id", &self.merchant_id)?,
            // Whether it was allowed was asked when it was set: a sandbox's is read, too.
            url: cells.read("url", EndpointUrl::parse(&self.url, true))?,
            key: cells.id("key_id", &self.key_id)?,
            disabled,
            failing_since: cells.optional_time("failing_since", self.failing_since)?,
            created_at: cells.time("created_at", self.created_at)?,
            updated_at: cells.time("updated_at", self.updated_at)?,
        })
    }
}
