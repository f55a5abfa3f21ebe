//! Rows of events.

use diesel::{pg::Pg, prelude::*};
use oncharge_domain::{
    id::{EventId, Id, MerchantId, RefundId, SessionId},
    psp::RefusalReason,
    session::{Amounts, Event, EventKind, Failure, FailureCode, StatusName},
    text::Reference,
    time::Timestamp,
};
use oncharge_ports::{StoreError, queries::StoredEvent, unit_of_work::NewEvent};
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    rows::{
        RowReader, at,
        session::{attempt_document, attempt_of, metadata_of},
    },
    schema::events,
};

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = events, check_for_backend(Pg), treat_none_as_default_value = false)]
pub(crate) struct EventRow {
    id: Uuid,
    session_id: Uuid,
    merchant_id: Uuid,
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
    attempt: Option<Value>,
    refund_id: Option<Uuid>,
    retry_until: Option<OffsetDateTime>,
    created_at: OffsetDateTime,
}

impl From<&NewEvent> for EventRow {
    fn from(new: &NewEvent) -> Self {
        let event = &new.event;
        let failure = event.failure.as_ref();
        Self {
            id: new.id.uuid(),
            session_id: event.session.uuid(),
            merchant_id: event.merchant.uuid(),
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
            attempt: event.attempt.as_ref().map(attempt_document),
            refund_id: event.refund.map(Id::uuid),
            retry_until: event.retry_until.map(at),
            created_at: at(event.at),
        }
    }
}

impl EventRow {
    /// Builds an event, with those parts of its payload that come from the session's row.
    pub(crate) fn stored_event(
        self,
        reference: &str,
        metadata: Value,
    ) -> Result<StoredEvent, StoreError> {
        let id = EventId::from_uuid(self.id);
        let session = SessionId::from_uuid(self.session_id);
        let reader = RowReader {
            table: "events",
            row: id,
        };
        let failure = match &self.failure {
            Some(code) => Some(Failure {
                code: reader.require("failure", FailureCode::parse(code))?,
                reason: self.failure_reason.as_deref().map(RefusalReason::parse),
            }),
            None => None,
        };
        let attempt = |document| reader.require("attempt", attempt_of(document));
        let attempt = self.attempt.map(attempt);
        let event = Event {
            session,
            merchant: MerchantId::from_uuid(self.merchant_id),
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
            attempt: attempt.transpose()?,
            refund: self.refund_id.map(RefundId::from_uuid),
            retry_until: self.retry_until.map(Timestamp::new),
            at: Timestamp::new(self.created_at),
        };
        let of_session = RowReader {
            table: "sessions",
            row: session,
        };
        Ok(StoredEvent {
            id,
            event,
            merchant_reference: of_session
                .require("reference", Reference::parse(reference).ok())?,
            metadata: of_session.require("metadata", metadata_of(metadata))?,
        })
    }
}
