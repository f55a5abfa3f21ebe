//! Events: what merchants are told, numbered from 1 without gaps in each session.

use crate::{
    id::{MerchantId, RefundId, SessionId},
    money::Money,
    psp::{PspReference, RefusalReason},
    session::{Attempt, FailureCode, StatusName},
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
    /// What it is about: the captured amount for `payment.captured`, the refund's for a refund's
    /// event, else the session's.
    pub amount: Money,
    /// The session's totals after it.
    pub amounts: Amounts,
    /// Why the payment, its capture or cancel, or the refund failed; set on refused, error and
    /// failed events, and on `payment.cancelled` where the merchant did not order it.
    pub failure: Option<Failure>,
    /// The PSP's reference of the payment or refund, where there is one.
    pub psp_reference: Option<PspReference>,
    /// The attempt that it is about, as it was then: the one that ended, or whose payment the session
    /// keeps or kept.
    pub attempt: Option<Attempt>,
    /// The refund that it is about.
    pub refund: Option<RefundId>,
    /// Until when the shopper may try again.
    pub retry_until: Option<Timestamp>,
    /// When it happened.
    pub at: Timestamp,
}

/// A session's totals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Amounts {
    /// Authorized for the payment that the session keeps or kept.
    pub authorized: Money,
    /// Captured; nothing after a capture that failed.
    pub captured: Money,
    /// Refunds requested and succeeded together.
    pub refunded: Money,
}

/// Why something failed, as the merchant sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The code.
    pub code: FailureCode,
    /// The PSP's reason; `None` where the code says all there is.
    pub reason: Option<RefusalReason>,
}

impl Failure {
    /// A failure that its code describes.
    pub fn new(code: FailureCode) -> Self {
        Self { code, reason: None }
    }

    /// Why a refund failed: the issuer's reasons keep their codes; all else is `psp_error`.
    pub fn of_refund(reason: &RefusalReason) -> Self {
        let code = match reason {
            RefusalReason::CardDeclined => FailureCode::CardDeclined,
            RefusalReason::InsufficientFunds => FailureCode::InsufficientFunds,
            RefusalReason::ExpiredCard => FailureCode::ExpiredCard,
            RefusalReason::AuthenticationFailed
            | RefusalReason::AuthorizationExpired
            | RefusalReason::AlreadyCaptured
            | RefusalReason::NothingHeld
            | RefusalReason::NeverSent
            | RefusalReason::Other(_) => FailureCode::PspError,
        };
        Self {
            code,
            reason: Some(reason.clone()),
        }
    }

    /// The text for people: the PSP's reason where there is one, else the code's own text.
    pub fn message(&self) -> &str {
        match &self.reason {
            Some(reason) => reason.as_str(),
            None => self.code.message(),
        }
    }
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
