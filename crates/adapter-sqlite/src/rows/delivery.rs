//! Rows of webhook deliveries: the outbox.

use diesel::prelude::*;
use oncharge_domain::{
    time::Timestamp,
    webhook::{Delivery, DeliveryOutcome, DeliveryState, EndpointUrl},
};
use oncharge_ports::StoreError;

use super::RowReader;
use crate::schema::deliveries;

/// A delivery without the columns that only the queue uses.
#[derive(Queryable, Selectable)]
#[diesel(table_name = deliveries)]
pub(crate) struct DeliveryRow {
    event_id: Vec<u8>,
    session_id: Vec<u8>,
    merchant_id: Vec<u8>,
    sequence: i64,
    endpoint_id: Vec<u8>,
    url: String,
    state: String,
    attempts: i64,
    failures: i64,
    round: i64,
}

/// Changes by an attempt that apply only if the delivery is still in its round.
#[derive(AsChangeset)]
#[diesel(table_name = deliveries, treat_none_as_null = true)]
pub(crate) struct DeliveryChange {
    state: &'static str,
    failures: i64,
    next_try_at: Option<i64>,
}

/// Changes by an attempt that always apply: it is counted, and the lease is released.
#[derive(AsChangeset)]
#[diesel(table_name = deliveries, treat_none_as_null = true)]
pub(crate) struct AttemptEnd {
    attempts: i64,
    leased_until: Option<i64>,
    lease_token: Option<Vec<u8>>,
}

impl DeliveryRow {
    pub(crate) fn delivery(self) -> Result<Delivery, StoreError> {
        let reader = RowReader::of("deliveries", &self.event_id);
        Ok(Delivery {
            event: reader.id("event_id", &self.event_id)?,
            session: reader.id("session_id", &self.session_id)?,
            merchant: reader.id("merchant_id", &self.merchant_id)?,
            sequence: reader.count("sequence", self.sequence)?,
            endpoint: reader.id("endpoint_id", &self.endpoint_id)?,
            // Accepts `http`, as sandbox URLs have; the rule was checked when the URL was set.
            url: reader.parse("url", EndpointUrl::parse(&self.url, true))?,
            state: reader.require("state", DeliveryState::parse(&self.state))?,
            attempts: reader.count("attempts", self.attempts)?,
            failures: reader.count("failures", self.failures)?,
            round: reader.count("round", self.round)?,
        })
    }
}

impl DeliveryChange {
    pub(crate) fn of(after: &DeliveryOutcome) -> Self {
        Self {
            state: after.delivery.state.name(),
            failures: after.delivery.failures.into(),
            next_try_at: after.next_try_at.map(Timestamp::unix_micros),
        }
    }

    /// Whether the delivery has ended.
    pub(crate) fn is_over(&self) -> bool {
        self.next_try_at.is_none()
    }
}

impl AttemptEnd {
    pub(crate) fn of(after: &DeliveryOutcome) -> Self {
        Self {
            attempts: after.delivery.attempts.into(),
            leased_until: None,
            lease_token: None,
        }
    }
}
