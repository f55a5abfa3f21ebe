//! Rows of events.

use diesel::prelude::*;
use oncharge_domain::{
    id::{EventId, MerchantId, RefundId, SessionId},
    psp::RefusalReason,
    session::{Amounts, Event, Failure},
    text::Reference,
    time::Timestamp,
};
use oncharge_ports::{StoreError, queries::StoredEvent, unit_of_work::NewEvent};

use crate::{
    ColumnValue, JsonText,
    row_reader::RowReader,
    rows::session::{attempt_of, metadata_of},
    schema::{events, sessions},
};

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = events, treat_none_as_default_value = false)]
pub struct EventRow {
    id: ColumnValue<EventId>,
    session_id: ColumnValue<SessionId>,
    merchant_id: ColumnValue<MerchantId>,
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
    attempt: Option<JsonText>,
    refund_id: Option<ColumnValue<RefundId>>,
    retry_until: Option<ColumnValue<Timestamp>>,
    created_at: ColumnValue<Timestamp>,
}

/// The parts of an event's payload that come from its session, where both are immutable.
#[derive(Queryable, Selectable)]
#[diesel(table_name = sessions)]
pub struct EventSessionColumns {
    reference: String,
    metadata: JsonText,
}

impl TryFrom<&NewEvent> for EventRow {
    type Error = StoreError;

    fn try_from(new: &NewEvent) -> Result<Self, StoreError> {
        let event = &new.event;
        let attempt = event.attempt.as_ref();
        let attempt = attempt.map(|attempt| JsonText::of(&attempt.snapshot()));
        let failure = event.failure.as_ref();
        Ok(Self {
            id: new.id.into(),
            session_id: event.session.into(),
            merchant_id: event.merchant.into(),
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
            psp_reference: event.psp_reference.as_ref().map(|r| r.as_str().to_owned()),
            attempt: attempt.transpose()?,
            refund_id: event.refund.map(Into::into),
            retry_until: event.retry_until.map(Into::into),
            created_at: event.at.into(),
        })
    }
}

impl EventRow {
    /// Builds an event, with those parts of its payload that come from the session's row.
    pub fn stored_event(self, columns: &EventSessionColumns) -> Result<StoredEvent, StoreError> {
        let reader = RowReader::with_id("events", "id", self.id)?;
        let session = reader.value("session_id", self.session_id)?;
        let failure = match &self.failure {
            Some(code) => Some(Failure {
                code: reader.require("failure", code.parse().ok())?,
                reason: self.failure_reason.as_deref().map(RefusalReason::parse),
            }),
            None => None,
        };
        let attempt = |document| reader.require("attempt", attempt_of(document));
        let attempt = self.attempt.as_ref().map(attempt);
        let event = Event {
            session,
            merchant: reader.value("merchant_id", self.merchant_id)?,
            sequence: reader.count("sequence", self.sequence)?,
            kind: reader.require("kind", self.kind.parse().ok())?,
            status: reader.require("status", self.status.parse().ok())?,
            amount: reader.money("amount", self.amount, &self.currency)?,
            amounts: Amounts {
                authorized: reader.money("authorized", self.authorized, &self.currency)?,
                captured: reader.money("captured", self.captured, &self.currency)?,
                refunded: reader.money("refunded", self.refunded, &self.currency)?,
            },
            failure,
            psp_reference: reader.psp_reference("psp_reference", self.psp_reference.as_deref())?,
            attempt: attempt.transpose()?,
            refund: reader.optional("refund_id", self.refund_id)?,
            retry_until: reader.optional("retry_until", self.retry_until)?,
            at: reader.value("created_at", self.created_at)?,
        };
        let of_session = RowReader::of("sessions", session);
        Ok(StoredEvent {
            id: reader.id(),
            event,
            merchant_reference: of_session
                .parse("reference", Reference::parse(&columns.reference))?,
            metadata: of_session.require("metadata", metadata_of(&columns.metadata))?,
        })
    }
}
