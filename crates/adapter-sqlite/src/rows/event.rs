//! Rows of events; the session's reference and metadata are joined on read.

use std::collections::BTreeMap;

use diesel::prelude::*;
use oncharge_domain::{
    psp::RefusalReason,
    session::{Amounts, Event, EventKind, Failure, FailureCode, StatusName},
    text::{Metadata, Reference},
    time::Timestamp,
};
use oncharge_ports::{StoreError, queries::StoredEvent, unit_of_work::NewEvent};

use super::{
    RowReader, id_bytes, reference_text,
    session::{attempt_json, attempt_of},
};
use crate::schema::{events, sessions};

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = events, treat_none_as_default_value = false)]
pub(crate) struct EventRow {
    id: Vec<u8>,
    session_id: Vec<u8>,
    merchant_id: Vec<u8>,
    sequence: i64,
    kind: String,
    status: String,
    amount: i64,
    authorized: i64,
    captured: i64,
    refunded: i64,
    currency: String,
    failure: Option<String>,
    failure_reason: Option<String>,
    psp_reference: Option<String>,
    attempt: Option<String>,
    refund_id: Option<Vec<u8>>,
    retry_until: Option<i64>,
    created_at: i64,
}

/// The parts of an event's payload that come from its session, where both are immutable.
#[derive(Queryable, Selectable)]
#[diesel(table_name = sessions)]
pub(crate) struct EventSessionColumns {
    reference: String,
    metadata: String,
}

impl EventRow {
    pub(crate) fn of(new: &NewEvent) -> Result<Self, StoreError> {
        let event = &new.event;
        let failure = event.failure.as_ref();
        let attempt = event.attempt.as_ref().map(attempt_json);
        Ok(Self {
            id: id_bytes(new.id),
            session_id: id_bytes(event.session),
            merchant_id: id_bytes(event.merchant),
            sequence: event.sequence.into(),
            kind: event.kind.name().to_owned(),
            status: event.status.name().to_owned(),
            amount: event.amount.minor(),
            authorized: event.amounts.authorized.minor(),
            captured: event.amounts.captured.minor(),
            refunded: event.amounts.refunded.minor(),
            currency: event.amount.currency().code().to_owned(),
            failure: failure.map(|failure| failure.code.name().to_owned()),
            failure_reason: failure
                .and_then(|failure| Some(failure.reason.as_ref()?.as_str().to_owned())),
            psp_reference: reference_text(event.psp_reference.as_ref()),
            attempt: attempt.transpose()?,
            refund_id: event.refund.map(id_bytes),
            retry_until: event.retry_until.map(Timestamp::unix_micros),
            created_at: event.at.unix_micros(),
        })
    }

    pub(crate) fn id(&self) -> &[u8] {
        &self.id
    }

    /// Builds an event, with those parts of its payload that come from the session's row.
    pub(crate) fn stored_event(
        self,
        session: &EventSessionColumns,
    ) -> Result<StoredEvent, StoreError> {
        let reader = RowReader::of("events", &self.id);
        let failure = match &self.failure {
            Some(code) => Some(Failure {
                code: reader.require("failure", FailureCode::parse(code))?,
                reason: self.failure_reason.as_deref().map(RefusalReason::parse),
            }),
            None => None,
        };
        let attempt = self.attempt.as_deref().map(attempt_of);
        let event = Event {
            session: reader.id("session_id", &self.session_id)?,
            merchant: reader.id("merchant_id", &self.merchant_id)?,
            sequence: reader.count("sequence", self.sequence)?,
            kind: reader.require("kind", EventKind::parse(&self.kind))?,
            status: reader.require("status", StatusName::parse(&self.status))?,
            amount: reader.money(self.amount, &self.currency)?,
            amounts: Amounts {
                authorized: reader.money(self.authorized, &self.currency)?,
                captured: reader.money(self.captured, &self.currency)?,
                refunded: reader.money(self.refunded, &self.currency)?,
            },
            failure,
            psp_reference: reader.psp_reference("psp_reference", self.psp_reference.as_deref())?,
            attempt: reader.parse("attempt", attempt.transpose())?,
            refund: reader.optional_id("refund_id", self.refund_id.as_deref())?,
            retry_until: reader.optional_time("retry_until", self.retry_until)?,
            at: reader.time("created_at", self.created_at)?,
        };
        let row = RowReader::of("sessions", &self.session_id);
        let pairs: BTreeMap<_, _> =
            row.parse("metadata", serde_json::from_str(&session.metadata))?;
        Ok(StoredEvent {
            id: reader.id("id", &self.id)?,
            event,
            merchant_reference: row.parse("reference", Reference::parse(&session.reference))?,
            metadata: row.parse("metadata", Metadata::new(pairs))?,
        })
    }
}
