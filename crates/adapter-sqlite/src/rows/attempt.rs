//! Attempts to deliver an event as rows; they are only ever added.

use diesel::prelude::*;
use oncharge_domain::{
    id::{EventId, MerchantId},
    webhook::{Attempt, SendError},
};
use oncharge_ports::StoreError;

use super::{Cells, id_bytes};
use crate::schema::delivery_attempts;

/// An attempt.
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
    /// The row of an attempt to deliver this merchant's event.
    pub(crate) fn of(event: EventId, merchant: MerchantId, attempt: &Attempt) -> Self {
        Self {
            merchant_id: id_bytes(merchant),
            attempt: AttemptRow::of(event, attempt),
        }
    }
}

impl AttemptRow {
    /// The row of an attempt to deliver this event.
    fn of(event: EventId, attempt: &Attempt) -> Self {
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

    /// The event that it was to deliver.
    pub(crate) fn event(&self) -> Result<EventId, StoreError> {
        Cells::of("delivery_attempts", &self.event_id).id("event_id", &self.event_id)
    }

    /// The attempt.
    pub(crate) fn attempt(self) -> Result<Attempt, StoreError> {
        let cells = Cells::of("delivery_attempts", &self.event_id);
        let status = self.status.map(u16::try_from).transpose();
        let error = match self.error.as_deref() {
            Some(name) => Some(cells.found("error", SendError::parse(name))?),
            None => None,
        };
        Ok(Attempt {
            number: cells.count("number", self.number)?,
            at: cells.time("at", self.at)?,
            status: cells.read("status", status)?,
            latency_ms: cells.count("latency_ms", self.latency_ms)?,
            response: self.response,
            error,
        })
    }
}
