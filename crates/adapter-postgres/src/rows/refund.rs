//! Rows of refunds.

use diesel::{pg::Pg, prelude::*};
use oncharge_domain::{
    id::{MerchantId, OperationId, RefundId, SessionId},
    psp::RefusalReason,
    refund::{Refund, RefundStatus},
    text::Reference,
    time::Timestamp,
};
use oncharge_ports::StoreError;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    rows::{RowReader, at},
    schema::refunds,
};

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = refunds, check_for_backend(Pg), treat_none_as_default_value = false)]
pub(crate) struct RefundRow {
    id: Uuid,
    session_id: Uuid,
    merchant_id: Uuid,
    operation_id: Uuid,
    amount: i64,
    currency: String,
    reference: String,
    created_at: OffsetDateTime,
    #[diesel(embed)]
    state: RefundState,
}

/// The columns that can change.
#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = refunds, check_for_backend(Pg))]
#[diesel(treat_none_as_default_value = false, treat_none_as_null = true)]
pub(crate) struct RefundState {
    status: String,
    failure: Option<String>,
    psp_reference: Option<String>,
    updated_at: OffsetDateTime,
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
            updated_at: at(refund.updated_at),
        }
    }
}

impl From<&Refund> for RefundRow {
    fn from(refund: &Refund) -> Self {
        Self {
            id: refund.id.uuid(),
            session_id: refund.session.uuid(),
            merchant_id: refund.merchant.uuid(),
            operation_id: refund.operation.uuid(),
            amount: refund.amount.minor(),
            currency: refund.amount.currency().code().to_owned(),
            reference: refund.reference.as_str().to_owned(),
            created_at: at(refund.created_at),
            state: RefundState::from(refund),
        }
    }
}

impl TryFrom<RefundRow> for Refund {
    type Error = StoreError;

    fn try_from(row: RefundRow) -> Result<Self, StoreError> {
        let id = RefundId::from_uuid(row.id);
        let reader = RowReader {
            table: "refunds",
            row: id,
        };
        let status = match (row.state.status.as_str(), row.state.failure) {
            ("refund_requested", None) => RefundStatus::Requested,
            ("refund_succeeded", None) => RefundStatus::Succeeded,
            ("refund_failed", Some(reason)) => RefundStatus::Failed(RefusalReason::parse(&reason)),
            _ => return Err(reader.corrupt("status")),
        };
        Ok(Self {
            id,
            session: SessionId::from_uuid(row.session_id),
            merchant: MerchantId::from_uuid(row.merchant_id),
            operation: OperationId::from_uuid(row.operation_id),
            amount: reader.money(row.amount, &row.currency)?,
            reference: reader.require("reference", Reference::parse(&row.reference).ok())?,
            status,
            psp_reference: reader
                .psp_reference("psp_reference", row.state.psp_reference.as_deref())?,
            created_at: Timestamp::new(row.created_at),
            updated_at: Timestamp::new(row.state.updated_at),
        })
    }
}
