//! Rows of delivery attempts.

use diesel::prelude::*;
use oncharge_domain::{id::EventId, time::Timestamp, webhook::DeliveryAttempt};
use oncharge_ports::StoreError;

use crate::{ColumnValue, row_reader::RowReader, schema::delivery_attempts};

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = delivery_attempts)]
#[diesel(treat_none_as_default_value = false)]
pub struct AttemptRow {
    event_id: ColumnValue<EventId>,
    number: i64,
    at: ColumnValue<Timestamp>,
    status: Option<i64>,
    latency_ms: i64,
    response: String,
    error: Option<String>,
}

impl AttemptRow {
    pub fn new(event: EventId, attempt: &DeliveryAttempt) -> Self {
        Self {
            event_id: event.into(),
            number: attempt.number.into(),
            at: attempt.at.into(),
            status: attempt.status.map(i64::from),
            latency_ms: attempt.latency_ms.into(),
            response: attempt.response.clone(),
            error: attempt.error.map(|error| error.name().to_owned()),
        }
    }
}

impl TryFrom<AttemptRow> for DeliveryAttempt {
    type Error = StoreError;

    fn try_from(row: AttemptRow) -> Result<Self, StoreError> {
        let reader = RowReader::with_id("delivery_attempts", "event_id", row.event_id)?;
        let status = |status: i64| reader.parse("status", status.try_into());
        let error = |name: &str| reader.require("error", name.parse().ok());
        Ok(Self {
            number: reader.count("number", row.number)?,
            at: reader.value("at", row.at)?,
            status: row.status.map(status).transpose()?,
            latency_ms: reader.count("latency_ms", row.latency_ms)?,
            response: row.response,
            error: row.error.as_deref().map(error).transpose()?,
        })
    }
}
