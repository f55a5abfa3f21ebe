//! Deliveries as rows: the outbox.

use diesel::prelude::*;
use oncharge_domain::{
    time::Timestamp,
    webhook::{Delivery, DeliveryOutcome, DeliveryState, EndpointUrl},
};
use oncharge_ports::StoreError;

use super::RowReader;
use crate::schema::deliveries;

/// A delivery as it is read, without what only the queue uses.
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

/// What an attempt changes of a delivery whose round it is.
#[derive(AsChangeset)]
#[diesel(table_name = deliveries, treat_none_as_null = true)]
pub(crate) struct DeliveryChange {
    state: &'static str,
    failures: i64,
    next_try_at: Option<i64>,
}

/// What an attempt changes of its delivery whatever has become of that: it is counted, and the
/// lease is given back.
#[derive(AsChangeset)]
#[diesel(table_name = deliveries, treat_none_as_null = true)]
pub(crate) struct AttemptEnd {
    attempts: i64,
    leased_until: Option<i64>,
    lease_token: Option<Vec<u8>>,
}

impl DeliveryRow {
    /// The delivery.
    pub(crate) fn delivery(self) -> Result<Delivery, StoreError> {
        let reader = RowReader::of("deliveries", &self.event_id);
        Ok(Delivery {
            event: reader.id("event_id", &self.event_id)?,
            session: reader.id("session_id", &self.session_id)?,
            merchant: reader.id("merchant_id", &self.merchant_id)?,
            sequence: reader.count("sequence", self.sequence)?,
            endpoint: reader.id("endpoint_id", &self.endpoint_id)?,
            // Whether it was allowed was asked when it was set: a sandbox's is read, too.
            url: reader.parse("url", EndpointUrl::parse(&self.url, true))?,
            state: reader.require("state", DeliveryState::parse(&self.state))?,
            attempts: reader.count("attempts", self.attempts)?,
            failures: reader.count("failures", self.failures)?,
            round: reader.count("round", self.round)?,
        })
    }
}

impl DeliveryChange {
    /// What follows from an attempt.
    pub(crate) fn of(after: &DeliveryOutcome) -> Self {
        Self {
            state: after.delivery.state.name(),
            failures: after.delivery.failures.into(),
            next_try_at: after.next_try_at.map(Timestamp::unix_micros),
        }
    }

    /// Whether the delivery has come to its end.
    pub(crate) fn is_over(&self) -> bool {
        self.next_try_at.is_none()
    }
}

impl AttemptEnd {
    /// The end of an attempt after which there are so many.
    pub(crate) fn of(after: &DeliveryOutcome) -> Self {
        Self {
            attempts: after.delivery.attempts.into(),
            leased_until: None,
            lease_token: None,
        }
    }
}
