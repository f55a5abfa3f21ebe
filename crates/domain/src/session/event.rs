//! Events for merchants, numbered from 1 without gaps in each session.

use strum::{EnumString, IntoStaticStr, VariantArray};

use crate::{
    id::{MerchantId, RefundId, SessionId},
    money::Money,
    psp::{PspReference, RefusalReason},
    session::{Attempt, FailureCode, StatusName},
    time::Timestamp,
};

/// A change of a session that is reported to the merchant.
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
    /// The amount it is about: the captured amount for `payment.captured`, the refund's for a
    /// refund's event, otherwise the session's.
    pub amount: Money,
    /// The session's totals after it.
    pub amounts: Amounts,
    /// Why the payment, its capture or cancel, or the refund failed; set on refused, error and
    /// failed events, and on `payment.cancelled` if the merchant did not request the cancel.
    pub failure: Option<Failure>,
    /// The PSP's reference of the payment or refund, if any.
    pub psp_reference: Option<PspReference>,
    /// The attempt it is about, as it was then: the one that ended, or whose payment the session
    /// keeps or kept.
    pub attempt: Option<Attempt>,
    /// The refund it is about.
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
    /// Captured; zero after a capture that failed.
    pub captured: Money,
    /// Requested and succeeded refunds together.
    pub refunded: Money,
}

/// Why something failed, as the merchant sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The code.
    pub code: FailureCode,
    /// The PSP's reason; `None` if the code is sufficient.
    pub reason: Option<RefusalReason>,
}

impl Failure {
    /// A failure without a PSP reason.
    pub fn new(code: FailureCode) -> Self {
        Self { code, reason: None }
    }

    /// Why a refund failed: the issuer's reasons keep their codes; all others become `psp_error`.
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

    /// The human-readable text: the PSP's reason if there is one, otherwise the code's text.
    pub fn message(&self) -> &str {
        match &self.reason {
            Some(reason) => reason.as_str(),
            None => self.code.message(),
        }
    }
}

/// The kind of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumString, IntoStaticStr, VariantArray)]
pub enum EventKind {
    /// The amount is reserved.
    #[strum(serialize = "payment.authorized")]
    PaymentAuthorized,
    /// The amount is captured.
    #[strum(serialize = "payment.captured")]
    PaymentCaptured,
    /// The PSP, the issuer or OnCharge refused the payment.
    #[strum(serialize = "payment.refused")]
    PaymentRefused,
    /// The reserved amount was released.
    #[strum(serialize = "payment.cancelled")]
    PaymentCancelled,
    /// The session has expired.
    #[strum(serialize = "payment.expired")]
    PaymentExpired,
    /// A technical failure that definitely moved no money.
    #[strum(serialize = "payment.error")]
    PaymentError,
    /// A capture failed, or was reversed.
    #[strum(serialize = "payment.capture_failed")]
    PaymentCaptureFailed,
    /// A cancel failed.
    #[strum(serialize = "payment.cancel_failed")]
    PaymentCancelFailed,
    /// A refund was requested.
    #[strum(serialize = "refund.requested")]
    RefundRequested,
    /// A refund was paid out.
    #[strum(serialize = "refund.succeeded")]
    RefundSucceeded,
    /// A refund was not paid out, or was reversed.
    #[strum(serialize = "refund.failed")]
    RefundFailed,
}

impl EventKind {
    /// All kinds.
    pub const ALL: &'static [Self] = Self::VARIANTS;

    /// The name in the API and in the store.
    pub fn name(self) -> &'static str {
        self.into()
    }
}
