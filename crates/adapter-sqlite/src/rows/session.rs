//! Rows of sessions; the status is flattened into columns by the domain's `Snapshot`.

use std::collections::BTreeMap;

use diesel::prelude::*;
use oncharge_domain::{
    psp::PspAccount,
    session::{Attempt, InvalidSnapshot, Session, Snapshot, StatusName},
    text::{Contact, Metadata, OrderId, Reference, ReturnUrl},
    time::Timestamp,
};
use oncharge_ports::{StoreError, UnitOfWork};

use super::{RowReader, id_bytes};
use crate::schema::sessions;

/// A session without the columns that only the queue uses.
#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = sessions, treat_none_as_default_value = false)]
pub(crate) struct SessionRow {
    pub(crate) id: Vec<u8>,
    merchant_id: Vec<u8>,
    version: i64,
    connector: String,
    account: String,
    amount: i64,
    currency: String,
    reference: String,
    order_id: Option<String>,
    return_url: String,
    metadata: String,
    automatic_capture: Option<i64>,
    pub(crate) created_at: i64,
    updated_at: i64,
    expires_at: i64,
    attempts: String,
    challenges: i64,
    next_sequence: i64,
    status: String,
    attempt_id: Option<Vec<u8>>,
    psp_reference: Option<String>,
    amount_authorized: i64,
    amount_captured: i64,
    refunds_requested: i64,
    refunds_succeeded: i64,
    failure: Option<String>,
    retry: bool,
    progress: String,
}

#[derive(Insertable)]
#[diesel(table_name = sessions, treat_none_as_default_value = false)]
pub(crate) struct NewSessionRow {
    #[diesel(embed)]
    row: SessionRow,
    due_at: Option<i64>,
    unit_id: Vec<u8>,
}

/// The columns that a later unit may change; merchant-provided data and the contact are immutable.
#[derive(AsChangeset)]
#[diesel(table_name = sessions, treat_none_as_null = true)]
pub(crate) struct SessionState {
    version: i64,
    updated_at: i64,
    attempts: String,
    challenges: i64,
    next_sequence: i64,
    status: String,
    attempt_id: Option<Vec<u8>>,
    psp_reference: Option<String>,
    amount_authorized: i64,
    amount_captured: i64,
    refunds_requested: i64,
    refunds_succeeded: i64,
    failure: Option<String>,
    retry: bool,
    progress: String,
    due_at: Option<i64>,
}

impl NewSessionRow {
    pub(crate) fn of(unit: &UnitOfWork) -> Result<Self, StoreError> {
        let session = &unit.session;
        let snapshot = session.snapshot();
        let row = SessionRow {
            id: id_bytes(session.id),
            merchant_id: id_bytes(session.merchant),
            version: session.version.into(),
            connector: session.account.connector().to_owned(),
            account: session.account.account().to_owned(),
            amount: session.amount.minor(),
            currency: session.amount.currency().code().to_owned(),
            reference: session.reference.as_str().to_owned(),
            order_id: session.order_id.as_ref().map(|id| id.as_str().to_owned()),
            return_url: session.return_url.as_str().to_owned(),
            metadata: json(session.metadata.pairs())?,
            automatic_capture: session.automatic_capture.map(i64::from),
            created_at: session.created_at.unix_micros(),
            updated_at: session.updated_at.unix_micros(),
            expires_at: session.expires_at.unix_micros(),
            attempts: attempts_json(session)?,
            challenges: session.challenges.into(),
            next_sequence: session.next_sequence.into(),
            status: session.status_name().name().to_owned(),
            attempt_id: snapshot.attempt.map(id_bytes),
            psp_reference: snapshot.psp_reference,
            amount_authorized: snapshot.authorized,
            amount_captured: snapshot.captured,
            refunds_requested: snapshot.refunds_requested,
            refunds_succeeded: snapshot.refunds_succeeded,
            failure: snapshot.failure,
            retry: snapshot.retry,
            progress: json(&snapshot.progress)?,
        };
        Ok(Self {
            row,
            due_at: session.due_at().map(Timestamp::unix_micros),
            unit_id: id_bytes(unit.id),
        })
    }
}

impl SessionState {
    pub(crate) fn of(session: &Session) -> Result<Self, StoreError> {
        let snapshot = session.snapshot();
        Ok(Self {
            version: session.version.into(),
            updated_at: session.updated_at.unix_micros(),
            attempts: attempts_json(session)?,
            challenges: session.challenges.into(),
            next_sequence: session.next_sequence.into(),
            status: session.status_name().name().to_owned(),
            attempt_id: snapshot.attempt.map(id_bytes),
            psp_reference: snapshot.psp_reference,
            amount_authorized: snapshot.authorized,
            amount_captured: snapshot.captured,
            refunds_requested: snapshot.refunds_requested,
            refunds_succeeded: snapshot.refunds_succeeded,
            failure: snapshot.failure,
            retry: snapshot.retry,
            progress: json(&snapshot.progress)?,
            due_at: session.due_at().map(Timestamp::unix_micros),
        })
    }
}

impl SessionRow {
    /// Builds the session, with its contact data from their own table.
    pub(crate) fn session(self, contact: Contact) -> Result<Session, StoreError> {
        let reader = RowReader::of("sessions", &self.id);
        let amount = reader.money(self.amount, &self.currency)?;
        let name = reader.require("status", StatusName::parse(&self.status))?;
        let snapshot = Snapshot {
            attempt: reader.optional_id("attempt_id", self.attempt_id.as_deref())?,
            psp_reference: self.psp_reference,
            authorized: self.amount_authorized,
            captured: self.amount_captured,
            refunds_requested: self.refunds_requested,
            refunds_succeeded: self.refunds_succeeded,
            failure: self.failure,
            retry: self.retry,
            progress: reader.parse("progress", serde_json::from_str(&self.progress))?,
        };
        let status = Session::restore_status(name, &snapshot, amount)
            .map_err(|contradiction| reader.corrupt(contradiction.0))?;
        let metadata: BTreeMap<_, _> =
            reader.parse("metadata", serde_json::from_str(&self.metadata))?;
        let order_id = self.order_id.as_deref().map(OrderId::parse);
        let automatic_capture = self.automatic_capture.map(u32::try_from);
        Ok(Session {
            id: reader.id("id", &self.id)?,
            merchant: reader.id("merchant_id", &self.merchant_id)?,
            version: reader.count("version", self.version)?,
            account: reader.parse("account", PspAccount::new(&self.connector, &self.account))?,
            amount,
            reference: reader.parse("reference", Reference::parse(&self.reference))?,
            order_id: reader.parse("order_id", order_id.transpose())?,
            // Accepts `http`: the rule depends on the deployment, and was checked when the URL was
            // set.
            return_url: reader.parse("return_url", ReturnUrl::parse(&self.return_url, true))?,
            metadata: reader.parse("metadata", Metadata::new(metadata))?,
            contact,
            automatic_capture: reader.parse("automatic_capture", automatic_capture.transpose())?,
            created_at: reader.time("created_at", self.created_at)?,
            updated_at: reader.time("updated_at", self.updated_at)?,
            expires_at: reader.time("expires_at", self.expires_at)?,
            attempts: reader.parse("attempts", attempts_of(&self.attempts))?,
            challenges: reader.count("challenges", self.challenges)?,
            next_sequence: reader.count("next_sequence", self.next_sequence)?,
            status,
        })
    }
}

/// Parses an attempt from JSON.
pub(crate) fn attempt_of(document: &str) -> Result<Attempt, InvalidSnapshot> {
    let snapshot = serde_json::from_str(document).map_err(|_| InvalidSnapshot("attempt"))?;
    Attempt::restore(&snapshot)
}

fn attempts_of(document: &str) -> Result<Vec<Attempt>, InvalidSnapshot> {
    let snapshot: Vec<_> =
        serde_json::from_str(document).map_err(|_| InvalidSnapshot("attempts"))?;
    snapshot.iter().map(Attempt::restore).collect()
}

/// Serializes an attempt to JSON.
pub(crate) fn attempt_json(attempt: &Attempt) -> Result<String, StoreError> {
    json(&attempt.snapshot())
}

fn attempts_json(session: &Session) -> Result<String, StoreError> {
    let attempts: Vec<_> = session.attempts.iter().map(Attempt::snapshot).collect();
    serde_json::to_string(&attempts).map_err(|error| StoreError::Failed(error.into()))
}

fn json(pairs: &BTreeMap<String, String>) -> Result<String, StoreError> {
    serde_json::to_string(pairs).map_err(|error| StoreError::Failed(error.into()))
}
