//! Rows of operations: details of the kind in separate columns, the request sealed.

use diesel::prelude::*;
use oncharge_domain::{
    keyring::SealContext,
    operation::{
        CancelPurpose, CompensationMethod, Contradiction, Operation, OperationKind,
        OperationStatus, SendState,
    },
    psp::{PspAccount, RefusalReason, TokenFingerprint},
};
use oncharge_ports::{StoreError, psp::PreparedRequest, unit_of_work::NewOperation};

use super::{RowReader, id_bytes, reference_text};
use crate::{
    schema::operations,
    seal::{SealedColumns, Sealer},
};

const TABLE: &str = "operations";

/// An operation without its request and the columns that only the queue uses.
#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = operations, treat_none_as_default_value = false)]
pub(crate) struct OperationRow {
    id: Vec<u8>,
    session_id: Vec<u8>,
    merchant_id: Vec<u8>,
    kind: String,
    #[diesel(embed)]
    details: KindColumns,
    amount: i64,
    currency: String,
    connector: String,
    account: String,
    payment_reference: Option<String>,
    status: String,
    sending: String,
    psp_reference: Option<String>,
    failure: Option<String>,
    compensated: bool,
    contradiction: Option<String>,
    created_at: i64,
    last_sent_at: i64,
    not_before: i64,
}

/// The columns that only some kinds have.
#[derive(Default, Queryable, Selectable, Insertable)]
#[diesel(table_name = operations, treat_none_as_default_value = false)]
pub(crate) struct KindColumns {
    token: Option<Vec<u8>>,
    captures: Option<bool>,
    automatic: Option<bool>,
    purpose: Option<String>,
    refund_id: Option<Vec<u8>>,
    compensates_id: Option<Vec<u8>>,
    compensates_by: Option<String>,
    round: Option<i64>,
}

#[derive(Insertable)]
#[diesel(table_name = operations, treat_none_as_default_value = false)]
pub(crate) struct NewOperationRow {
    #[diesel(embed)]
    row: OperationRow,
    request: Option<Vec<u8>>,
    request_key_id: Option<String>,
    next_try_at: Option<i64>,
    tries: i64,
}

/// The columns that can change while an operation is open, or when it ends.
#[derive(AsChangeset)]
#[diesel(table_name = operations, treat_none_as_null = true)]
pub(crate) struct OperationState {
    status: String,
    sending: String,
    psp_reference: Option<String>,
    failure: Option<String>,
    compensated: bool,
    contradiction: Option<String>,
    last_sent_at: i64,
    not_before: i64,
}

/// The columns that are cleared when an operation is final.
#[derive(AsChangeset, Default)]
#[diesel(table_name = operations, treat_none_as_null = true)]
pub(crate) struct OpenColumns {
    request: Option<Vec<u8>>,
    request_key_id: Option<String>,
    next_try_at: Option<i64>,
}

/// The context to which an operation's request is bound when it is sealed.
pub(crate) fn place(operation: &[u8]) -> SealContext<'_> {
    SealContext {
        table: TABLE,
        column: "request",
        row: operation,
    }
}

/// Reads the sealed request from an operation's row.
pub(crate) fn request(
    sealer: &Sealer,
    operation: &[u8],
    columns: SealedColumns,
) -> Result<PreparedRequest, StoreError> {
    let opened = sealer.open(place(operation), columns, |plain| {
        Some(PreparedRequest::new(plain.to_vec()))
    });
    RowReader::of(TABLE, operation).require("request", opened)
}

impl NewOperationRow {
    pub(crate) fn of(new: &NewOperation, sealer: &Sealer) -> Result<Self, StoreError> {
        let row = OperationRow::of(&new.operation);
        let request = if new.operation.is_open() {
            Some(sealer.seal(place(&row.id), new.request.expose())?)
        } else {
            None
        };
        let next_try_at = request.is_some().then(|| new.next_try_at.unix_micros());
        let (request, request_key_id) = request.map(|r| (r.bytes, r.key_id)).unzip();
        Ok(Self {
            row,
            request,
            request_key_id,
            next_try_at,
            tries: 0,
        })
    }
}

fn contradiction_text(operation: &Operation) -> Option<String> {
    let name = operation.contradiction.map(contradiction_name);
    name.map(str::to_owned)
}

impl OperationState {
    pub(crate) fn of(operation: &Operation) -> Self {
        Self {
            status: status_name(operation.status).to_owned(),
            sending: sending_name(operation.sending).to_owned(),
            psp_reference: reference_text(operation.reference.as_ref()),
            failure: operation.failure.as_ref().map(|f| f.as_str().to_owned()),
            compensated: operation.compensated,
            contradiction: contradiction_text(operation),
            last_sent_at: operation.last_sent_at.unix_micros(),
            not_before: operation.not_before.unix_micros(),
        }
    }
}

impl OperationRow {
    fn of(operation: &Operation) -> Self {
        Self {
            id: id_bytes(operation.id),
            session_id: id_bytes(operation.session),
            merchant_id: id_bytes(operation.merchant),
            kind: operation.kind.name().to_owned(),
            details: KindColumns::of(&operation.kind),
            amount: operation.amount.minor(),
            currency: operation.amount.currency().code().to_owned(),
            connector: operation.account.connector().to_owned(),
            account: operation.account.account().to_owned(),
            payment_reference: reference_text(operation.payment.as_ref()),
            status: status_name(operation.status).to_owned(),
            sending: sending_name(operation.sending).to_owned(),
            psp_reference: reference_text(operation.reference.as_ref()),
            failure: operation.failure.as_ref().map(|f| f.as_str().to_owned()),
            compensated: operation.compensated,
            contradiction: contradiction_text(operation),
            created_at: operation.created_at.unix_micros(),
            last_sent_at: operation.last_sent_at.unix_micros(),
            not_before: operation.not_before.unix_micros(),
        }
    }

    pub(crate) fn operation(self) -> Result<Operation, StoreError> {
        let reader = RowReader::of(TABLE, &self.id);
        let account = PspAccount::new(&self.connector, &self.account);
        let payment = self.payment_reference.as_deref();
        let reference = self.psp_reference.as_deref();
        let contradiction = match self.contradiction.as_deref().map(parse_contradiction) {
            Some(known) => Some(reader.require("contradiction", known)?),
            None => None,
        };
        Ok(Operation {
            id: reader.id("id", &self.id)?,
            session: reader.id("session_id", &self.session_id)?,
            merchant: reader.id("merchant_id", &self.merchant_id)?,
            kind: self.details.kind(&self.kind, reader)?,
            amount: reader.money(self.amount, &self.currency)?,
            account: reader.parse("account", account)?,
            payment: reader.psp_reference("payment_reference", payment)?,
            status: reader.require("status", parse_status(&self.status))?,
            sending: reader.require("sending", parse_sending(&self.sending))?,
            reference: reader.psp_reference("psp_reference", reference)?,
            failure: self.failure.as_deref().map(RefusalReason::parse),
            compensated: self.compensated,
            contradiction,
            created_at: reader.time("created_at", self.created_at)?,
            last_sent_at: reader.time("last_sent_at", self.last_sent_at)?,
            not_before: reader.time("not_before", self.not_before)?,
        })
    }
}

impl KindColumns {
    fn of(kind: &OperationKind) -> Self {
        let mut details = Self::default();
        match kind {
            OperationKind::Authorize { token, capture } => {
                details.token = Some(token.bytes().to_vec());
                details.captures = Some(*capture);
            }
            OperationKind::Capture { automatic } => details.automatic = Some(*automatic),
            OperationKind::Cancel(purpose) => {
                details.purpose = Some(purpose_name(*purpose).to_owned());
            }
            OperationKind::Refund(refund) => details.refund_id = Some(id_bytes(*refund)),
            OperationKind::Compensation { of, by, round } => {
                details.compensates_id = Some(id_bytes(*of));
                details.compensates_by = Some(compensation_name(*by).to_owned());
                details.round = Some((*round).into());
            }
        }
        details
    }

    fn kind(&self, name: &str, reader: RowReader<'_>) -> Result<OperationKind, StoreError> {
        Ok(match name {
            "authorize" => {
                let token = reader.require("token", self.token.as_deref())?;
                OperationKind::Authorize {
                    token: TokenFingerprint::from_bytes(reader.hash("token", token)?),
                    capture: reader.require("captures", self.captures)?,
                }
            }
            "capture" => OperationKind::Capture {
                automatic: reader.require("automatic", self.automatic)?,
            },
            "cancel" => {
                let purpose = self.purpose.as_deref().and_then(parse_purpose);
                OperationKind::Cancel(reader.require("purpose", purpose)?)
            }
            "refund" => {
                let refund = reader.optional_id("refund_id", self.refund_id.as_deref())?;
                OperationKind::Refund(reader.require("refund_id", refund)?)
            }
            "compensation" => {
                let of = reader.optional_id("compensates_id", self.compensates_id.as_deref())?;
                let by = self.compensates_by.as_deref().and_then(parse_compensation);
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

/// Names as stored, in both directions; they never change once a row contains them.
macro_rules! names {
    ($type:ident, $name:ident, $parse:ident { $($variant:ident = $text:literal),* $(,)? }) => {
        pub(crate) fn $name(value: $type) -> &'static str {
            match value { $($type::$variant => $text),* }
        }

        fn $parse(text: &str) -> Option<$type> {
            match text { $($text => Some($type::$variant),)* _ => None }
        }
    };
}

names!(OperationStatus, status_name, parse_status {
    Requested = "requested", Succeeded = "succeeded", Failed = "failed",
});
names!(SendState, sending_name, parse_sending {
    Intended = "intended", NotSent = "not_sent", Unknown = "unknown",
    Mismatched = "mismatched", Accepted = "accepted",
});
names!(CancelPurpose, purpose_name, parse_purpose {
    Merchant = "merchant", Abandon = "abandon", Expiry = "expiry",
});
names!(Contradiction, contradiction_name, parse_contradiction {
    Listed = "listed", Dismissed = "dismissed",
});
names!(CompensationMethod, compensation_name, parse_compensation { Void = "void", Refund = "refund" });
