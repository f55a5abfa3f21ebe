//! Events: what merchants are told, numbered from 1 without gaps in each session.

use crate::{
    id::{MerchantId, RefundId, SessionId},
    money::Money,
    psp::PspReference,
    session::StatusName,
    time::Timestamp,
};

/// One change that the merchant is told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The session.
    pub session: SessionId,
    /// The session's merchant.
    pub merchant: MerchantId,
    /// Its number in the session, from 1 without gaps.
    pub sequence: u32,
    /// What happened.
    pub kind: EventKind,
    /// The session's status after it.
    pub status: StatusName,
    /// The session's amount, or the refund's.
    pub amount: Money,
    /// The PSP's reference of the payment or refund, where there is one.
    pub psp_reference: Option<PspReference>,
    /// The refund that it is about.
    pub refund: Option<RefundId>,
    /// Until when the shopper may try again.
    pub retry_until: Option<Timestamp>,
    /// When it happened.
    pub at: Timestamp,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// The money is reserved.
    PaymentAuthorized,
    /// The money is taken.
    PaymentCaptured,
    /// The PSP, the issuer or we said no.
    PaymentRefused,
    /// The reserved money was released.
    PaymentCancelled,
    /// The session's time is over.
    PaymentExpired,
    /// A technical failure that surely moved no money.
    PaymentError,
    /// A capture failed, or was taken back.
    PaymentCaptureFailed,
    /// A cancel failed.
    PaymentCancelFailed,
    /// A refund was ordered.
    RefundRequested,
    /// A refund was paid out.
    RefundSucceeded,
    /// A refund was not paid out, or taken back.
    RefundFailed,
}

impl EventKind {
    /// All of them.
    pub const ALL: &'static [Self] = &[
        Self::PaymentAuthorized,
        Self::PaymentCaptured,
        Self::PaymentRefused,
        Self::PaymentCancelled,
        Self::PaymentExpired,
        Self::PaymentError,
        Self::PaymentCaptureFailed,
        Self::PaymentCancelFailed,
        Self::RefundRequested,
        Self::RefundSucceeded,
        Self::RefundFailed,
    ];

    /// The name on the wire and in the store.
    pub fn name(self) -> &'static str {
        match self {
            Self::PaymentAuthorized => "payment.authorized",
            Self::PaymentCaptured => "payment.captured",
            Self::PaymentRefused => "payment.refused",
            Self::PaymentCancelled => "payment.cancelled",
            Self::PaymentExpired => "payment.expired",
            Self::PaymentError => "payment.error",
            Self::PaymentCaptureFailed => "payment.capture_failed",
            Self::PaymentCancelFailed => "payment.cancel_failed",
            Self::RefundRequested => "refund.requested",
            Self::RefundSucceeded => "refund.succeeded",
            Self::RefundFailed => "refund.failed",
        }
    }

    /// Reads what [`EventKind::name`] writes.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }
}
