//! Rows of sessions: their constant data, and their state as flat columns.

use diesel::prelude::*;
use oncharge_domain::{
    id::{MerchantId, OperationId, SessionId},
    money::Money,
    session::{Attempt, Session, Snapshot, Status},
    text::{Contact, Metadata, OrderId, Reference, ReturnUrl},
    time::Timestamp,
};
use oncharge_ports::StoreError;

use crate::{
    ColumnValue, JsonText, row_reader::RowReader, rows::contact::ContactRow, schema::sessions,
    seal::Sealer,
};

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = sessions, treat_none_as_default_value = false)]
pub struct SessionRow {
    id: ColumnValue<SessionId>,
    merchant_id: ColumnValue<MerchantId>,
    connector: String,
    account: String,
    amount: i64,
    currency: String,
    reference: String,
    order_id: Option<String>,
    return_url: String,
    metadata: JsonText,
    automatic_capture: Option<i64>,
    created_at: ColumnValue<Timestamp>,
    expires_at: ColumnValue<Timestamp>,
    #[diesel(embed)]
    state: SessionState,
}

/// The columns that can change.
#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = sessions)]
#[diesel(treat_none_as_default_value = false, treat_none_as_null = true)]
pub struct SessionState {
    version: i64,
    updated_at: ColumnValue<Timestamp>,
    attempts: JsonText,
    challenges: i64,
    next_sequence: i64,
    status: String,
    attempt_id: Option<ColumnValue<OperationId>>,
    psp_reference: Option<String>,
    amount_authorized: i64,
    amount_captured: i64,
    refunds_requested: i64,
    refunds_succeeded: i64,
    failure: Option<String>,
    retry: bool,
    progress: JsonText,
    due_at: Option<ColumnValue<Timestamp>>,
}

impl TryFrom<&Session> for SessionState {
    type Error = StoreError;

    fn try_from(session: &Session) -> Result<Self, StoreError> {
        let snapshot = session.snapshot();
        let attempts: Vec<_> = session.attempts.iter().map(Attempt::snapshot).collect();
        Ok(Self {
            version: session.version.into(),
            updated_at: session.updated_at.into(),
            attempts: JsonText::of(&attempts)?,
            challenges: session.challenges.into(),
            next_sequence: session.next_sequence.into(),
            status: session.status_name().name().to_owned(),
            attempt_id: snapshot.attempt.map(Into::into),
            psp_reference: snapshot.psp_reference,
            amount_authorized: snapshot.authorized,
            amount_captured: snapshot.captured,
            refunds_requested: snapshot.refunds_requested,
            refunds_succeeded: snapshot.refunds_succeeded,
            failure: snapshot.failure,
            retry: snapshot.retry,
            progress: JsonText::of(&snapshot.progress)?,
            due_at: session.due_at().map(Into::into),
        })
    }
}

impl TryFrom<&Session> for SessionRow {
    type Error = StoreError;

    fn try_from(session: &Session) -> Result<Self, StoreError> {
        Ok(Self {
            id: session.id.into(),
            merchant_id: session.merchant.into(),
            connector: session.account.connector().to_owned(),
            account: session.account.account().to_owned(),
            amount: session.amount.minor(),
            currency: session.amount.currency().code().to_owned(),
            reference: session.reference.as_str().to_owned(),
            order_id: session.order_id.as_ref().map(|o| o.as_str().to_owned()),
            return_url: session.return_url.as_str().to_owned(),
            metadata: JsonText::of(session.metadata.pairs())?,
            automatic_capture: session.automatic_capture.map(i64::from),
            created_at: session.created_at.into(),
            expires_at: session.expires_at.into(),
            state: SessionState::try_from(session)?,
        })
    }
}

impl SessionRow {
    /// Builds the session, with its contact data from their own row.
    pub fn open(self, contact: Option<ContactRow>, sealer: &Sealer) -> Result<Session, StoreError> {
        let contact = contact.map(|row| row.open(sealer)).transpose()?;
        Ok(Session {
            contact: contact.unwrap_or_default(),
            ..self.open_without_contact()?
        })
    }

    /// Builds the session without its contact data.
    pub fn open_without_contact(self) -> Result<Session, StoreError> {
        let reader = RowReader::with_id("sessions", "id", self.id)?;
        let amount = reader.money("amount", self.amount, &self.currency)?;
        let order_id = self.order_id.as_deref();
        let order_id = order_id
            .map(|text| reader.parse("order_id", OrderId::parse(text)))
            .transpose()?;
        let automatic_capture = self.automatic_capture;
        let automatic_capture = automatic_capture
            .map(|seconds| reader.count("automatic_capture", seconds))
            .transpose()?;
        let state = self.state;
        let attempts = attempts_of(&state.attempts);
        let updated_at = reader.value("updated_at", state.updated_at.clone())?;
        // Accepts `http`, whatever rule was in force when it was written.
        let return_url = ReturnUrl::parse(&self.return_url, true);
        Ok(Session {
            id: reader.id(),
            merchant: reader.value("merchant_id", self.merchant_id)?,
            version: reader.count("version", state.version)?,
            account: reader.account(&self.connector, &self.account)?,
            amount,
            reference: reader.parse("reference", Reference::parse(&self.reference))?,
            order_id,
            return_url: reader.parse("return_url", return_url)?,
            metadata: reader.require("metadata", metadata_of(&self.metadata))?,
            contact: Contact::default(),
            automatic_capture,
            created_at: reader.value("created_at", self.created_at)?,
            updated_at,
            expires_at: reader.value("expires_at", self.expires_at)?,
            challenges: reader.count("challenges", state.challenges)?,
            next_sequence: reader.count("next_sequence", state.next_sequence)?,
            attempts: reader.require("attempts", attempts)?,
            status: state.status(&reader, amount)?,
        })
    }
}

impl SessionState {
    fn status(self, reader: &RowReader<SessionId>, amount: Money) -> Result<Status, StoreError> {
        let name = reader.require("status", self.status.parse().ok())?;
        let snapshot = Snapshot {
            attempt: reader.optional("attempt_id", self.attempt_id)?,
            psp_reference: self.psp_reference,
            authorized: self.amount_authorized,
            captured: self.amount_captured,
            refunds_requested: self.refunds_requested,
            refunds_succeeded: self.refunds_succeeded,
            failure: self.failure,
            retry: self.retry,
            progress: reader.require("progress", self.progress.parse())?,
        };
        Session::restore_status(name, &snapshot, amount).map_err(|error| reader.corrupt(error.0))
    }
}

/// Parses metadata from JSON; `None` if it is invalid.
pub(crate) fn metadata_of(document: &JsonText) -> Option<Metadata> {
    Metadata::new(document.parse()?).ok()
}

/// Parses an attempt from JSON; `None` if it is invalid.
pub(crate) fn attempt_of(document: &JsonText) -> Option<Attempt> {
    Attempt::restore(&document.parse()?).ok()
}

fn attempts_of(document: &JsonText) -> Option<Vec<Attempt>> {
    let attempts: Vec<_> = document.parse()?;
    let attempts = attempts
        .iter()
        .map(|snapshot| Attempt::restore(snapshot).ok());
    attempts.collect()
}
