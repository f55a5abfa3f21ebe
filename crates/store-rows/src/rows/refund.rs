//! Rows of refunds.

use diesel::prelude::*;
use oncharge_domain::{
    id::{MerchantId, OperationId, RefundId, SessionId},
    psp::RefusalReason,
    refund::{Refund, RefundStatus},
    text::Reference,
    time::Timestamp,
};
use oncharge_ports::StoreError;

use crate::{Value, row_reader::RowReader, schema::refunds};

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = refunds, treat_none_as_default_value = false)]
pub struct RefundRow {
    id: Value<RefundId>,
    session_id: Value<SessionId>,
    merchant_id: Value<MerchantId>,
    operation_id: Value<OperationId>,
    amount: i64,
    currency: String,
    reference: String,
    created_at: Value<Timestamp>,
    #[diesel(embed)]
    state: RefundState,
}

/// The columns that can change.
#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = refunds)]
#[diesel(treat_none_as_default_value = false, treat_none_as_null = true)]
pub struct RefundState {
    status: String,
    failure: Option<String>,
    psp_reference: Option<String>,
    updated_at: Value<Timestamp>,
}

impl From<&Refund> for RefundState {
    fn from(refund: &Refund) -> Self {
        let failure = match &refund.status {
            RefundStatus::Requested | RefundStatus::Succeeded => None,
            RefundStatus::Failed(reason) => Some(reason.as_str().to_owned()),
        };
        Self {
            status: refund.status.name().to_owned(),
            failure,
            psp_reference: refund.psp_reference.as_ref().map(|r| r.as_str().to_owned()),
            updated_at: Value(refund.updated_at),
        }
    }
}

impl From<&Refund> for RefundRow {
    fn from(refund: &Refund) -> Self {
        Self {
            id: Value(refund.id),
            session_id: Value(refund.session),
            merchant_id: Value(refund.merchant),
            operation_id: Value(refund.operation),
            amount: refund.amount.minor(),
            currency: refund.amount.currency().code().to_owned(),
            reference: refund.reference.as_str().to_owned(),
            created_at: Value(refund.created_at),
            state: RefundState::from(refund),
        }
    }
}

impl TryFrom<RefundRow> for Refund {
    type Error = StoreError;

    fn try_from(row: RefundRow) -> Result<Self, StoreError> {
        let id = row.id.0;
        let reader = RowReader::of("refunds", id);
        let status = match (row.state.status.as_str(), row.state.failure) {
            ("refund_requested", None) => RefundStatus::Requested,
            ("refund_succeeded", None) => RefundStatus::Succeeded,
            ("refund_failed", Some(reason)) => RefundStatus::Failed(RefusalReason::parse(&reason)),
            _ => return Err(reader.corrupt("status")),
        };
        Ok(Self {
            id,
            session: row.session_id.0,
            merchant: row.merchant_id.0,
            operation: row.operation_id.0,
            amount: reader.money(row.amount, &row.currency)?,
            reference: reader.parse("reference", Reference::parse(&row.reference))?,
            status,
            psp_reference: reader
                .psp_reference("psp_reference", row.state.psp_reference.as_deref())?,
            created_at: row.created_at.0,
            updated_at: row.state.updated_at.0,
        })
    }
}
