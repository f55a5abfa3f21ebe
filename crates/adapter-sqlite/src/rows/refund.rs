//! Rows of refunds.

use diesel::prelude::*;
use oncharge_domain::{
    psp::RefusalReason,
    refund::{Refund, RefundStatus},
    text::Reference,
};
use oncharge_ports::StoreError;

use super::{RowReader, id_bytes, reference_text};
use crate::schema::refunds;

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = refunds, treat_none_as_default_value = false)]
pub(crate) struct RefundRow {
    id: Vec<u8>,
    session_id: Vec<u8>,
    merchant_id: Vec<u8>,
    operation_id: Vec<u8>,
    amount: i64,
    currency: String,
    reference: String,
    status: String,
    failure: Option<String>,
    psp_reference: Option<String>,
    created_at: i64,
    updated_at: i64,
}

/// The columns that can change.
#[derive(AsChangeset)]
#[diesel(table_name = refunds, treat_none_as_null = true)]
pub(crate) struct RefundState {
    status: String,
    failure: Option<String>,
    psp_reference: Option<String>,
    updated_at: i64,
}

impl RefundRow {
    pub(crate) fn of(refund: &Refund) -> Self {
        Self {
            id: id_bytes(refund.id),
            session_id: id_bytes(refund.session),
            merchant_id: id_bytes(refund.merchant),
            operation_id: id_bytes(refund.operation),
            amount: refund.amount.minor(),
            currency: refund.amount.currency().code().to_owned(),
            reference: refund.reference.as_str().to_owned(),
            status: refund.status.name().to_owned(),
            failure: failure_text(&refund.status),
            psp_reference: reference_text(refund.psp_reference.as_ref()),
            created_at: refund.created_at.unix_micros(),
            updated_at: refund.updated_at.unix_micros(),
        }
    }

    pub(crate) fn refund(self) -> Result<Refund, StoreError> {
        let reader = RowReader::of("refunds", &self.id);
        let status = match (self.status.as_str(), self.failure.as_deref()) {
            ("refund_requested", None) => RefundStatus::Requested,
            ("refund_succeeded", None) => RefundStatus::Succeeded,
            ("refund_failed", Some(reason)) => RefundStatus::Failed(RefusalReason::parse(reason)),
            _ => return Err(reader.corrupt("status")),
        };
        Ok(Refund {
            id: reader.id("id", &self.id)?,
            session: reader.id("session_id", &self.session_id)?,
            merchant: reader.id("merchant_id", &self.merchant_id)?,
            operation: reader.id("operation_id", &self.operation_id)?,
            amount: reader.money(self.amount, &self.currency)?,
            reference: reader.parse("reference", Reference::parse(&self.reference))?,
            status,
            psp_reference: reader.psp_reference("psp_reference", self.psp_reference.as_deref())?,
            created_at: reader.time("created_at", self.created_at)?,
            updated_at: reader.time("updated_at", self.updated_at)?,
        })
    }
}

impl RefundState {
    pub(crate) fn of(refund: &Refund) -> Self {
        Self {
            status: refund.status.name().to_owned(),
            failure: failure_text(&refund.status),
            psp_reference: reference_text(refund.psp_reference.as_ref()),
            updated_at: refund.updated_at.unix_micros(),
        }
    }
}

fn failure_text(status: &RefundStatus) -> Option<String> {
    match status {
        RefundStatus::Requested | RefundStatus::Succeeded => None,
        RefundStatus::Failed(reason) => Some(reason.as_str().to_owned()),
    }
}
