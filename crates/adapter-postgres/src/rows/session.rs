//! Rows of sessions: their constant data, and their state as flat columns.

use std::collections::BTreeMap;

use diesel::{pg::Pg, prelude::*};
use oncharge_domain::{
    id::{Id, MerchantId, OperationId, SessionId},
    money::Money,
    session::{Attempt, Session, Snapshot, Status, StatusName},
    text::{Contact, Metadata, OrderId, Reference, ReturnUrl},
    time::Timestamp,
};
use oncharge_ports::StoreError;
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    rows::{RowReader, at, contact::ContactRow},
    schema::sessions,
    seal::Sealer,
};

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = sessions, check_for_backend(Pg), treat_none_as_default_value = false)]
pub(crate) struct SessionRow {
    id: Uuid,
    merchant_id: Uuid,
    connector: String,
    account: String,
    amount: i64,
    currency: String,
    reference: String,
    order_id: Option<String>,
    return_url: String,
    metadata: Value,
    automatic_capture: Option<i64>,
    created_at: OffsetDateTime,
    expires_at: OffsetDateTime,
    #[diesel(embed)]
    state: SessionState,
}

/// The columns that can change.
#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = sessions, check_for_backend(Pg))]
#[diesel(treat_none_as_default_value = false, treat_none_as_null = true)]
pub(crate) struct SessionState {
    version: i64,
    updated_at: OffsetDateTime,
    attempts: Value,
    challenges: i64,
    next_sequence: i64,
    status: String,
    attempt_id: Option<Uuid>,
    psp_reference: Option<String>,
    amount_authorized: i64,
    amount_captured: i64,
    refunds_requested: i64,
    refunds_succeeded: i64,
    failure: Option<String>,
    retry: bool,
    progress: Value,
    due_at: Option<OffsetDateTime>,
}

impl From<&Session> for SessionState {
    fn from(session: &Session) -> Self {
        let snapshot = session.snapshot();
        Self {
            version: session.version.into(),
            updated_at: at(session.updated_at),
            attempts: attempts_document(session),
            challenges: session.challenges.into(),
            next_sequence: session.next_sequence.into(),
            status: session.status_name().name().to_owned(),
            attempt_id: snapshot.attempt.map(Id::uuid),
            psp_reference: snapshot.psp_reference,
            amount_authorized: snapshot.authorized,
            amount_captured: snapshot.captured,
            refunds_requested: snapshot.refunds_requested,
            refunds_succeeded: snapshot.refunds_succeeded,
            failure: snapshot.failure,
            retry: snapshot.retry,
            progress: object(&snapshot.progress),
            due_at: session.due_at().map(at),
        }
    }
}

impl From<&Session> for SessionRow {
    fn from(session: &Session) -> Self {
        Self {
            id: session.id.uuid(),
            merchant_id: session.merchant.uuid(),
            connector: session.account.connector().to_owned(),
            account: session.account.account().to_owned(),
            amount: session.amount.minor(),
            currency: session.amount.currency().code().to_owned(),
            reference: session.reference.as_str().to_owned(),
            order_id: session.order_id.as_ref().map(|o| o.as_str().to_owned()),
            return_url: session.return_url.as_str().to_owned(),
            metadata: object(session.metadata.pairs()),
            automatic_capture: session.automatic_capture.map(i64::from),
            created_at: at(session.created_at),
            expires_at: at(session.expires_at),
            state: SessionState::from(session),
        }
    }
}

impl SessionRow {
    /// Builds the session, with its contact data from their own row.
    pub(crate) fn open(
        self,
        contact: Option<ContactRow>,
        sealer: &Sealer,
    ) -> Result<Session, StoreError> {
        let contact = contact.map(|row| row.open(sealer)).transpose()?;
        Ok(Session {
            contact: contact.unwrap_or_default(),
            ..self.open_without_contact()?
        })
    }

    /// Builds the session without its contact data.
    pub(crate) fn open_without_contact(mut self) -> Result<Session, StoreError> {
        let id = SessionId::from_uuid(self.id);
        let reader = RowReader {
            table: "sessions",
            row: id,
        };
        let amount = reader.money(self.amount, &self.currency)?;
        let order_id = self.order_id.as_deref();
        let order_id = order_id
            .map(|text| reader.require("order_id", OrderId::parse(text).ok()))
            .transpose()?;
        let automatic_capture = self.automatic_capture;
        let automatic_capture = automatic_capture
            .map(|seconds| reader.count("automatic_capture", seconds))
            .transpose()?;
        let attempts = attempts_of(std::mem::take(&mut self.state.attempts));
        // Accepts `http`, whatever rule was in force when it was written.
        let return_url = ReturnUrl::parse(&self.return_url, true).ok();
        Ok(Session {
            id,
            merchant: MerchantId::from_uuid(self.merchant_id),
            version: reader.count("version", self.state.version)?,
            account: reader.account(&self.connector, &self.account)?,
            amount,
            reference: reader.require("reference", Reference::parse(&self.reference).ok())?,
            order_id,
            return_url: reader.require("return_url", return_url)?,
            metadata: reader.require("metadata", metadata_of(self.metadata))?,
            contact: Contact::default(),
            automatic_capture,
            created_at: Timestamp::new(self.created_at),
            updated_at: Timestamp::new(self.state.updated_at),
            expires_at: Timestamp::new(self.expires_at),
            challenges: reader.count("challenges", self.state.challenges)?,
            next_sequence: reader.count("next_sequence", self.state.next_sequence)?,
            attempts: reader.require("attempts", attempts)?,
            status: self.state.status(&reader, amount)?,
        })
    }
}

impl SessionState {
    fn status(self, reader: &RowReader<SessionId>, amount: Money) -> Result<Status, StoreError> {
        let name = reader.require("status", StatusName::parse(&self.status))?;
        let progress: Option<BTreeMap<String, String>> = serde_json::from_value(self.progress).ok();
        let snapshot = Snapshot {
            attempt: self.attempt_id.map(OperationId::from_uuid),
            psp_reference: self.psp_reference,
            authorized: self.amount_authorized,
            captured: self.amount_captured,
            refunds_requested: self.refunds_requested,
            refunds_succeeded: self.refunds_succeeded,
            failure: self.failure,
            retry: self.retry,
            progress: reader.require("progress", progress)?,
        };
        Session::restore_status(name, &snapshot, amount).map_err(|error| reader.corrupt(error.0))
    }
}

/// Parses metadata from JSON; `None` if it is invalid.
pub(crate) fn metadata_of(document: Value) -> Option<Metadata> {
    Metadata::new(serde_json::from_value(document).ok()?).ok()
}

/// Parses an attempt from JSON; `None` if it is invalid.
pub(crate) fn attempt_of(document: Value) -> Option<Attempt> {
    Attempt::restore(&serde_json::from_value(document).ok()?).ok()
}

fn attempts_of(document: Value) -> Option<Vec<Attempt>> {
    match document {
        Value::Array(attempts) => attempts.into_iter().map(attempt_of).collect(),
        _ => None,
    }
}

/// Serializes an attempt to JSON.
pub(crate) fn attempt_document(attempt: &Attempt) -> Value {
    object(&attempt.snapshot())
}

fn attempts_document(session: &Session) -> Value {
    Value::Array(session.attempts.iter().map(attempt_document).collect())
}

fn object(pairs: &BTreeMap<String, String>) -> Value {
    let member = |(name, value): (&String, &String)| (name.clone(), Value::from(value.as_str()));
    Value::Object(pairs.iter().map(member).collect())
}
