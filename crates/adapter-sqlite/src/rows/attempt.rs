//! Rows of delivery attempts; append-only.

use diesel::prelude::*;
use oncharge_domain::{
    id::{EventId, MerchantId},
    webhook::{DeliveryAttempt, SendError},
};
use oncharge_ports::StoreError;

use super::{RowReader, id_bytes};
use crate::schema::delivery_attempts;

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = delivery_attempts, treat_none_as_default_value = false)]
pub(crate) struct AttemptRow {
    event_id: Vec<u8>,
    number: i64,
    at: i64,
    status: Option<i64>,
    latency_ms: i64,
    response: String,
    error: Option<String>,
}

/// An attempt with its merchant, to be inserted.
#[derive(Insertable)]
#[diesel(table_name = delivery_attempts)]
pub(crate) struct NewAttemptRow {
    merchant_id: Vec<u8>,
    #[diesel(embed)]
    attempt: AttemptRow,
}

impl NewAttemptRow {
    pub(crate) fn of(event: EventId, merchant: MerchantId, attempt: &DeliveryAttempt) -> Self {
        Self {
            merchant_id: id_bytes(merchant),
            attempt: AttemptRow::of(event, attempt),
        }
    }
}

impl AttemptRow {
    fn of(event: EventId, attempt: &DeliveryAttempt) -> Self {
        Self {
            event_id: id_bytes(event),
            number: attempt.number.into(),
            at: attempt.at.unix_micros(),
            status: attempt.status.map(Into::into),
            latency_ms: attempt.latency_ms.into(),
            response: attempt.response.clone(),
            error: attempt.error.map(|error| error.name().to_owned()),
        }
    }

    pub(crate) fn event(&self) -> Result<EventId, StoreError> {
        RowReader::of("delivery_attempts", &self.event_id).id("event_id", &self.event_id)
    }

    pub(crate) fn attempt(self) -> Result<DeliveryAttempt, StoreError> {
        let reader = RowReader::of("delivery_attempts", &self.event_id);
        let status = self.status.map(u16::try_from).transpose();
        let error = match self.error.as_deref() {
            Some(name) => Some(reader.require("error", SendError::parse(name))?),
            None => None,
        };
        Ok(DeliveryAttempt {
            number: reader.count("number", self.number)?,
            at: reader.time("at", self.at)?,
            status: reader.parse("status", status)?,
            latency_ms: reader.count("latency_ms", self.latency_ms)?,
            response: self.response,
            error,
        })
    }
}
