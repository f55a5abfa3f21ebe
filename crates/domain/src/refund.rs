//! Refunds: money that the merchant gives back.

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
    /// The operation that carries it out.
    pub operation: OperationId,
    /// How much, in the session's currency.
    pub amount: Money,
    /// The merchant's own reference.
    pub reference: Reference,
    /// Where it stands.
    pub status: RefundStatus,
    /// The PSP's reference, as soon as it is known.
    pub psp_reference: Option<PspReference>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// Where a refund stands.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum RefundStatus {
    /// Ordered; it counts against the refundable amount.
    Requested,
    /// Paid out.
    Succeeded,
    /// Not paid out (or taken back); it no longer counts.
    Failed(RefusalReason),
}

impl RefundStatus {
    /// The name on the wire and in the store.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Requested => "refund_requested",
            Self::Succeeded => "refund_succeeded",
            Self::Failed(_) => "refund_failed",
        }
    }
}
