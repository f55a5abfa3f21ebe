//! Rows of operations; an operation's request is sealed and kept only while it is open.

use diesel::prelude::*;
use oncharge_domain::{
    id::{MerchantId, OperationId, RefundId, SessionId},
    operation::{Contradiction, Operation, OperationKind},
    psp::{RefusalReason, TokenFingerprint},
    time::Timestamp,
};
use oncharge_ports::{StoreError, psp::PreparedRequest, unit_of_work::NewOperation};

use crate::{
    Bind, ColumnValue,
    row_reader::RowReader,
    schema::operations,
    seal::{REQUEST, SealedColumns, Sealer},
};

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = operations, treat_none_as_default_value = false)]
pub struct OperationRow {
    id: ColumnValue<OperationId>,
    session_id: ColumnValue<SessionId>,
    merchant_id: ColumnValue<MerchantId>,
    #[diesel(embed)]
    kind: KindColumns,
    amount: i64,
    currency: String,
    connector: String,
    account: String,
    payment_reference: Option<String>,
    created_at: ColumnValue<Timestamp>,
    #[diesel(embed)]
    state: OperationState,
}

/// The kind, and the columns that only some kinds have.
#[derive(Queryable, Selectable, Insertable, Default)]
#[diesel(table_name = operations, treat_none_as_default_value = false)]
pub struct KindColumns {
    kind: String,
    token: Option<Vec<u8>>,
    captures: Option<bool>,
    automatic: Option<bool>,
    purpose: Option<String>,
    refund_id: Option<ColumnValue<RefundId>>,
    compensates_id: Option<ColumnValue<OperationId>>,
    compensates_by: Option<String>,
    round: Option<i64>,
}

/// The columns that can change.
#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = operations)]
#[diesel(treat_none_as_default_value = false, treat_none_as_null = true)]
pub struct OperationState {
    status: String,
    sending: String,
    psp_reference: Option<String>,
    failure: Option<String>,
    compensated: bool,
    contradiction: Option<String>,
    last_sent_at: ColumnValue<Timestamp>,
    not_before: ColumnValue<Timestamp>,
}

/// The columns that are set exactly while an operation is open.
#[derive(Insertable, AsChangeset, Default)]
#[diesel(table_name = operations)]
#[diesel(treat_none_as_default_value = false, treat_none_as_null = true)]
pub struct OpenColumns {
    request: Option<Vec<u8>>,
    request_key_id: Option<String>,
    next_try_at: Option<Bind<Timestamp>>,
}

impl OpenColumns {
    /// Seals the request of a new operation, if that is open.
    pub fn seal(new: &NewOperation, sealer: &Sealer) -> Result<Self, StoreError> {
        if !new.operation.is_open() {
            return Ok(Self::default());
        }
        let row = new.operation.id.uuid();
        let columns = sealer.seal(REQUEST, row.as_bytes(), new.request.expose())?;
        Ok(Self {
            request: Some(columns.bytes),
            request_key_id: Some(columns.key_id),
            next_try_at: Some(Bind(new.next_try_at)),
        })
    }
}

/// Opens the request of an operation.
pub fn open_request(
    id: OperationId,
    columns: SealedColumns,
    sealer: &Sealer,
) -> Result<PreparedRequest, StoreError> {
    let plain = sealer.open(REQUEST, id.uuid().as_bytes(), columns)?;
    Ok(PreparedRequest::new(plain.to_vec()))
}

impl From<&Operation> for OperationState {
    fn from(operation: &Operation) -> Self {
        let contradiction = operation.contradiction.map(Contradiction::name);
        Self {
            status: operation.status.name().to_owned(),
            sending: operation.sending.name().to_owned(),
            psp_reference: operation.reference.as_ref().map(|r| r.as_str().to_owned()),
            failure: operation.failure.as_ref().map(|f| f.as_str().to_owned()),
            compensated: operation.compensated,
            contradiction: contradiction.map(str::to_owned),
            last_sent_at: operation.last_sent_at.into(),
            not_before: operation.not_before.into(),
        }
    }
}

impl From<&OperationKind> for KindColumns {
    fn from(kind: &OperationKind) -> Self {
        let mut columns = Self {
            kind: kind.name().to_owned(),
            ..Self::default()
        };
        match kind {
            OperationKind::Authorize { token, capture } => {
                columns.token = Some(token.bytes().to_vec());
                columns.captures = Some(*capture);
            }
            OperationKind::Capture { automatic } => columns.automatic = Some(*automatic),
            OperationKind::Cancel(purpose) => {
                columns.purpose = Some(purpose.name().to_owned());
            }
            OperationKind::Refund(refund) => columns.refund_id = Some((*refund).into()),
            OperationKind::Compensation { of, by, round } => {
                columns.compensates_id = Some((*of).into());
                columns.compensates_by = Some(by.name().to_owned());
                columns.round = Some((*round).into());
            }
        }
        columns
    }
}

impl From<&Operation> for OperationRow {
    fn from(operation: &Operation) -> Self {
        Self {
            id: operation.id.into(),
            session_id: operation.session.into(),
            merchant_id: operation.merchant.into(),
            kind: KindColumns::from(&operation.kind),
            amount: operation.amount.minor(),
            currency: operation.amount.currency().code().to_owned(),
            connector: operation.account.connector().to_owned(),
            account: operation.account.account().to_owned(),
            payment_reference: operation.payment.as_ref().map(|p| p.as_str().to_owned()),
            created_at: operation.created_at.into(),
            state: OperationState::from(operation),
        }
    }
}

impl KindColumns {
    fn kind(self, reader: RowReader<OperationId>) -> Result<OperationKind, StoreError> {
        Ok(match self.kind.as_str() {
            "authorize" => {
                let token = self.token.and_then(|bytes| bytes.try_into().ok());
                OperationKind::Authorize {
                    token: TokenFingerprint::from_bytes(reader.require("token", token)?),
                    capture: reader.require("captures", self.captures)?,
                }
            }
            "capture" => OperationKind::Capture {
                automatic: reader.require("automatic", self.automatic)?,
            },
            "cancel" => {
                let purpose = self.purpose.as_deref().and_then(|text| text.parse().ok());
                OperationKind::Cancel(reader.require("purpose", purpose)?)
            }
            "refund" => {
                let refund = reader.optional("refund_id", self.refund_id)?;
                OperationKind::Refund(reader.require("refund_id", refund)?)
            }
            "compensation" => {
                let by = self
                    .compensates_by
                    .as_deref()
                    .and_then(|text| text.parse().ok());
                let of = reader.optional("compensates_id", self.compensates_id)?;
                OperationKind::Compensation {
                    of: reader.require("compensates_id", of)?,
                    by: reader.require("compensates_by", by)?,
                    round: reader.count("round", reader.require("round", self.round)?)?,
                }
            }
            _ => return Err(reader.corrupt("kind")),
        })
    }
}

impl TryFrom<OperationRow> for Operation {
    type Error = StoreError;

    fn try_from(row: OperationRow) -> Result<Self, StoreError> {
        let reader = RowReader::with_id("operations", "id", row.id)?;
        let state = row.state;
        let contradiction = match state.contradiction.as_deref().map(|text| text.parse().ok()) {
            Some(known) => Some(reader.require("contradiction", known)?),
            None => None,
        };
        let payment = row.payment_reference.as_deref();
        Ok(Self {
            id: reader.id(),
            session: reader.value("session_id", row.session_id)?,
            merchant: reader.value("merchant_id", row.merchant_id)?,
            kind: row.kind.kind(reader)?,
            amount: reader.money("amount", row.amount, &row.currency)?,
            account: reader.account(&row.connector, &row.account)?,
            payment: reader.psp_reference("payment_reference", payment)?,
            status: reader.require("status", state.status.parse().ok())?,
            sending: reader.require("sending", state.sending.parse().ok())?,
            reference: reader.psp_reference("psp_reference", state.psp_reference.as_deref())?,
            failure: state.failure.as_deref().map(RefusalReason::parse),
            compensated: state.compensated,
            contradiction,
            created_at: reader.value("created_at", row.created_at)?,
            last_sent_at: reader.value("last_sent_at", state.last_sent_at)?,
            not_before: reader.value("not_before", state.not_before)?,
        })
    }
}
