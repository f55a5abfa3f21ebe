//! A refund as merchants see it.

use oncharge_domain::{
    refund::{Refund, RefundStatus},
    session::Failure,
};
use serde::Serialize;
use utoipa::ToSchema;

use super::failure::FailureBody;

/// A refund. Every member is always present, null if unset.
#[derive(Serialize, ToSchema)]
#[schema(as = Refund)]
pub(crate) struct RefundBody {
    #[serde(flatten)]
    order: RequestedRefundBody,
    /// Your reference.
    reference: String,
    /// Why it failed.
    #[schema(required)]
    failure: Option<FailureBody>,
    /// When it was requested.
    #[schema(format = DateTime)]
    created_at: String,
    /// When it last changed.
    #[schema(format = DateTime)]
    updated_at: String,
}

/// A newly requested refund.
#[derive(Serialize, ToSchema)]
#[schema(as = RequestedRefund)]
pub(crate) struct RequestedRefundBody {
    /// Its id.
    refund_id: String,
    /// The session whose capture it refunds.
    session_id: String,
    /// The refund's status.
    #[schema(value_type = crate::schema::RefundStatus)]
    status: &'static str,
    /// The processor's reference; null until the processor has responded.
    #[schema(required)]
    psp_reference: Option<String>,
    /// The amount in minor units.
    amount: i64,
    /// ISO 4217.
    #[schema(value_type = String)]
    currency: &'static str,
}

impl RequestedRefundBody {
    /// The acknowledgment of a request: always `refund_requested`, whatever the refund's current
    /// status.
    pub(crate) fn acknowledgment(refund: &Refund) -> Self {
        Self {
            status: RefundStatus::Requested.name(),
            ..Self::from(refund)
        }
    }
}

impl From<&Refund> for RequestedRefundBody {
    fn from(refund: &Refund) -> Self {
        let psp_reference = refund.psp_reference.as_ref();
        Self {
            refund_id: refund.id.to_string(),
            session_id: refund.session.to_string(),
            status: refund.status.name(),
            psp_reference: psp_reference.map(|reference| reference.as_str().to_owned()),
            amount: refund.amount.minor(),
            currency: refund.amount.currency().code(),
        }
    }
}

impl From<&Refund> for RefundBody {
    fn from(refund: &Refund) -> Self {
        let failure = match &refund.status {
            RefundStatus::Failed(reason) => Some(FailureBody::from(&Failure::of_refund(reason))),
            RefundStatus::Requested | RefundStatus::Succeeded => None,
        };
        Self {
            order: RequestedRefundBody::from(refund),
            reference: refund.reference.as_str().to_owned(),
            failure,
            created_at: refund.created_at.rfc3339(),
            updated_at: refund.updated_at.rfc3339(),
        }
    }
}
