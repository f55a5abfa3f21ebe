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

use crate::{ColumnValue, row_reader::RowReader, schema::refunds};

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = refunds, treat_none_as_default_value = false)]
pub struct RefundRow {
    id: ColumnValue<RefundId>,
    session_id: ColumnValue<SessionId>,
    merchant_id: ColumnValue<MerchantId>,
    operation_id: ColumnValue<OperationId>,
    amount: i64,
    currency: String,
    reference: String,
    created_at: ColumnValue<Timestamp>,
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
    updated_at: ColumnValue<Timestamp>,
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
            updated_at: refund.updated_at.into(),
        }
    }
}

impl From<&Refund> for RefundRow {
    fn from(refund: &Refund) -> Self {
        Self {
            id: refund.id.into(),
            session_id: refund.session.into(),
            merchant_id: refund.merchant.into(),
            operation_id: refund.operation.into(),
            amount: refund.amount.minor(),
            currency: refund.amount.currency().code().to_owned(),
            reference: refund.reference.as_str().to_owned(),
            created_at: refund.created_at.into(),
            state: RefundState::from(refund),
        }
    }
}

impl TryFrom<RefundRow> for Refund {
    type Error = StoreError;

    fn try_from(row: RefundRow) -> Result<Self, StoreError> {
        let reader = RowReader::with_id("refunds", "id", row.id)?;
        let status = match (row.state.status.as_str(), row.state.failure) {
            ("refund_requested", None) => RefundStatus::Requested,
            ("refund_succeeded", None) => RefundStatus::Succeeded,
            ("refund_failed", Some(reason)) => RefundStatus::Failed(RefusalReason::parse(&reason)),
            _ => return Err(reader.corrupt("status")),
        };
        Ok(Self {
            id: reader.id(),
            session: reader.value("session_id", row.session_id)?,
            merchant: reader.value("merchant_id", row.merchant_id)?,
            operation: reader.value("operation_id", row.operation_id)?,
            amount: reader.money("amount", row.amount, &row.currency)?,
            reference: reader.parse("reference", Reference::parse(&row.reference))?,
            status,
            psp_reference: reader
                .psp_reference("psp_reference", row.state.psp_reference.as_deref())?,
            created_at: reader.value("created_at", row.created_at)?,
            updated_at: reader.value("updated_at", row.state.updated_at)?,
        })
    }
}
