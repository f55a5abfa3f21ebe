//! Rows of operations; an operation's request is sealed and kept only while it is open.

use diesel::{pg::Pg, prelude::*};
use oncharge_domain::{
    id::{MerchantId, OperationId, RefundId, SessionId},
    operation::{
        CancelPurpose, CompensationMethod, Contradiction, Operation, OperationKind,
        OperationStatus, SendState,
    },
    psp::{RefusalReason, TokenFingerprint},
    time::Timestamp,
};
use oncharge_ports::StoreError;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    rows::{RowReader, at},
    schema::operations,
};

/// A contradiction that is listed as stuck.
pub(crate) const LISTED: &str = "listed";
/// A contradiction that a person has handled.
pub(crate) const DISMISSED: &str = "dismissed";

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = operations, check_for_backend(Pg), treat_none_as_default_value = false)]
pub(crate) struct OperationRow {
    id: Uuid,
    session_id: Uuid,
    merchant_id: Uuid,
    #[diesel(embed)]
    kind: KindColumns,
    amount: i64,
    currency: String,
    connector: String,
    account: String,
    payment_reference: Option<String>,
    created_at: OffsetDateTime,
    #[diesel(embed)]
    state: OperationState,
}

/// The kind, and the columns that only some kinds have.
#[derive(Queryable, Selectable, Insertable, Default)]
#[diesel(table_name = operations, check_for_backend(Pg), treat_none_as_default_value = false)]
pub(crate) struct KindColumns {
    kind: String,
    token: Option<Vec<u8>>,
    captures: Option<bool>,
    automatic: Option<bool>,
    purpose: Option<String>,
    refund_id: Option<Uuid>,
    compensates_id: Option<Uuid>,
    compensates_by: Option<String>,
    round: Option<i64>,
}

/// The columns that can change.
#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = operations, check_for_backend(Pg))]
#[diesel(treat_none_as_default_value = false, treat_none_as_null = true)]
pub(crate) struct OperationState {
    status: String,
    sending: String,
    psp_reference: Option<String>,
    failure: Option<String>,
    compensated: bool,
    contradiction: Option<String>,
    last_sent_at: OffsetDateTime,
    not_before: OffsetDateTime,
}

/// The columns that are set exactly while an operation is open.
#[derive(Insertable, AsChangeset, Default)]
#[diesel(table_name = operations)]
#[diesel(treat_none_as_default_value = false, treat_none_as_null = true)]
pub(crate) struct OpenColumns {
    pub(crate) request: Option<Vec<u8>>,
    pub(crate) request_key_id: Option<String>,
    pub(crate) next_try_at: Option<OffsetDateTime>,
}

impl From<&Operation> for OperationState {
    fn from(operation: &Operation) -> Self {
        let status = match operation.status {
            OperationStatus::Requested => "requested",
            OperationStatus::Succeeded => "succeeded",
            OperationStatus::Failed => "failed",
        };
        let sending = match operation.sending {
            SendState::Intended => "intended",
            SendState::NotSent => "not_sent",
            SendState::Unknown => "unknown",
            SendState::Mismatched => "mismatched",
            SendState::Accepted => "accepted",
        };
        let contradiction = operation.contradiction.map(|known| match known {
            Contradiction::Listed => LISTED,
            Contradiction::Dismissed => DISMISSED,
        });
        Self {
            status: status.to_owned(),
            sending: sending.to_owned(),
            psp_reference: operation.reference.as_ref().map(|r| r.as_str().to_owned()),
            failure: operation.failure.as_ref().map(|f| f.as_str().to_owned()),
            compensated: operation.compensated,
            contradiction: contradiction.map(str::to_owned),
            last_sent_at: at(operation.last_sent_at),
            not_before: at(operation.not_before),
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
                let name = match purpose {
                    CancelPurpose::Merchant => "merchant",
                    CancelPurpose::Abandon => "abandon",
                    CancelPurpose::Expiry => "expiry",
                };
                columns.purpose = Some(name.to_owned());
            }
            OperationKind::Refund(refund) => columns.refund_id = Some(refund.uuid()),
            OperationKind::Compensation { of, by, round } => {
                let name = match by {
                    CompensationMethod::Void => "void",
                    CompensationMethod::Refund => "refund",
                };
                columns.compensates_id = Some(of.uuid());
                columns.compensates_by = Some(name.to_owned());
                columns.round = Some((*round).into());
            }
        }
        columns
    }
}

impl From<&Operation> for OperationRow {
    fn from(operation: &Operation) -> Self {
        Self {
            id: operation.id.uuid(),
            session_id: operation.session.uuid(),
            merchant_id: operation.merchant.uuid(),
            kind: KindColumns::from(&operation.kind),
            amount: operation.amount.minor(),
            currency: operation.amount.currency().code().to_owned(),
            connector: operation.account.connector().to_owned(),
            account: operation.account.account().to_owned(),
            payment_reference: operation.payment.as_ref().map(|p| p.as_str().to_owned()),
            created_at: at(operation.created_at),
            state: OperationState::from(operation),
        }
    }
}

impl KindColumns {
    fn kind(self, reader: &RowReader<OperationId>) -> Result<OperationKind, StoreError> {
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
            "cancel" => OperationKind::Cancel(match self.purpose.as_deref() {
                Some("merchant") => CancelPurpose::Merchant,
                Some("abandon") => CancelPurpose::Abandon,
                Some("expiry") => CancelPurpose::Expiry,
                _ => return Err(reader.corrupt("purpose")),
            }),
            "refund" => {
                let refund = reader.require("refund_id", self.refund_id)?;
                OperationKind::Refund(RefundId::from_uuid(refund))
            }
            "compensation" => {
                let of = reader.require("compensates_id", self.compensates_id)?;
                OperationKind::Compensation {
                    of: OperationId::from_uuid(of),
                    by: match self.compensates_by.as_deref() {
                        Some("void") => CompensationMethod::Void,
                        Some("refund") => CompensationMethod::Refund,
                        _ => return Err(reader.corrupt("compensates_by")),
                    },
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
        let id = OperationId::from_uuid(row.id);
        let reader = RowReader {
            table: "operations",
            row: id,
        };
        let state = row.state;
        let status = match state.status.as_str() {
            "requested" => OperationStatus::Requested,
            "succeeded" => OperationStatus::Succeeded,
            "failed" => OperationStatus::Failed,
            _ => return Err(reader.corrupt("status")),
        };
        let sending = match state.sending.as_str() {
            "intended" => SendState::Intended,
            "not_sent" => SendState::NotSent,
            "unknown" => SendState::Unknown,
            "mismatched" => SendState::Mismatched,
            "accepted" => SendState::Accepted,
            _ => return Err(reader.corrupt("sending")),
        };
        let contradiction = match state.contradiction.as_deref() {
            None => None,
            Some(LISTED) => Some(Contradiction::Listed),
            Some(DISMISSED) => Some(Contradiction::Dismissed),
            Some(_) => return Err(reader.corrupt("contradiction")),
        };
        let payment = row.payment_reference.as_deref();
        Ok(Self {
            id,
            session: SessionId::from_uuid(row.session_id),
            merchant: MerchantId::from_uuid(row.merchant_id),
            kind: row.kind.kind(&reader)?,
            amount: reader.money(row.amount, &row.currency)?,
            account: reader.account(&row.connector, &row.account)?,
            payment: reader.psp_reference("payment_reference", payment)?,
            status,
            sending,
            reference: reader.psp_reference("psp_reference", state.psp_reference.as_deref())?,
            failure: state.failure.as_deref().map(RefusalReason::parse),
            compensated: state.compensated,
            contradiction,
            created_at: Timestamp::new(row.created_at),
            last_sent_at: Timestamp::new(state.last_sent_at),
            not_before: Timestamp::new(state.not_before),
        })
    }
}
