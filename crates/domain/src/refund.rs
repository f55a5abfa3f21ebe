//! Refunds of captured payments.

use crate::{
    id::{MerchantId, OperationId, RefundId, SessionId},
    money::Money,
    psp::{PspReference, RefusalReason},
    text::Reference,
    time::Timestamp,
};

/// One refund of a captured session.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Refund {
    /// Its id.
    pub id: RefundId,
    /// The session whose capture it refunds.
    pub session: SessionId,
    /// The session's merchant.
    pub merchant: MerchantId,
    /// The operation that executes it.
    pub operation: OperationId,
    /// The amount, in the session's currency.
    pub amount: Money,
    /// The merchant's own reference.
    pub reference: Reference,
    /// Its status.
    pub status: RefundStatus,
    /// The PSP's reference, once known.
    pub psp_reference: Option<PspReference>,
    /// When it was requested.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// The status of a refund.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum RefundStatus {
    /// Requested; it counts against the refundable amount.
    Requested,
    /// Paid out.
    Succeeded,
    /// Not paid out (or reversed); it no longer counts against the refundable amount.
    Failed(RefusalReason),
}

impl RefundStatus {
    /// The name in the API and in the store.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Requested => "refund_requested",
            Self::Succeeded => "refund_succeeded",
            Self::Failed(_) => "refund_failed",
        }
    }
}
