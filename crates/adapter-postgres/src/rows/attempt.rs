//! Rows of delivery attempts.

use diesel::{pg::Pg, prelude::*};
use oncharge_domain::{
    id::EventId,
    time::Timestamp,
    webhook::{DeliveryAttempt, SendError},
};
use oncharge_ports::StoreError;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    rows::{RowReader, at},
    schema::delivery_attempts,
};

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = delivery_attempts, check_for_backend(Pg))]
#[diesel(treat_none_as_default_value = false)]
pub(crate) struct AttemptRow {
    event_id: Uuid,
    number: i64,
    at: OffsetDateTime,
    status: Option<i64>,
    latency_ms: i64,
    response: String,
    error: Option<String>,
}

impl AttemptRow {
    pub(crate) fn new(event: EventId, attempt: &DeliveryAttempt) -> Self {
        Self {
            event_id: event.uuid(),
            number: attempt.number.into(),
            at: at(attempt.at),
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
        let reader = RowReader {
            table: "delivery_attempts",
            row: EventId::from_uuid(row.event_id),
        };
        let status = |status: i64| reader.require("status", status.try_into().ok());
        let error = |name: &str| reader.require("error", SendError::parse(name));
        Ok(Self {
            number: reader.count("number", row.number)?,
            at: Timestamp::new(row.at),
            status: row.status.map(status).transpose()?,
            latency_ms: reader.count("latency_ms", row.latency_ms)?,
            response: row.response,
            error: row.error.as_deref().map(error).transpose()?,
        })
    }
}
