//! The status of a session: each variant holds exactly the data that is true in it.

use strum::{EnumString, IntoStaticStr, VariantArray};

use crate::{
    id::OperationId,
    money::Money,
    psp::{Challenge, PspReference, RefusalReason},
    time::Timestamp,
};

/// The status of a session.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// There has been no attempt to pay yet.
    Created,
    /// An attempt is at the PSP, or the shopper is in a challenge.
    Pending(Pending),
    /// The amount is reserved.
    Authorized(Authorized),
    /// The amount is captured.
    Captured(Captured),
    /// The reserved amount was released.
    Cancelled(Cancelled),
    /// The PSP, the issuer or OnCharge refused the payment.
    Refused(Unpaid),
    /// A technical failure that definitely moved no money.
    Error(Unpaid),
    /// The PSP reversed the capture; in the API this is `error`, too.
    CaptureFailed(CaptureFailed),
    /// The time to pay is over, or the merchant expired the session.
    Expired,
}

/// The names of the statuses in the API.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    EnumString,
    IntoStaticStr,
    VariantArray,
)]
#[strum(serialize_all = "snake_case")]
pub enum StatusName {
    /// `created`
    Created,
    /// `pending`
    Pending,
    /// `authorized`
    Authorized,
    /// `captured`
    Captured,
    /// `refused`
    Refused,
    /// `cancelled`
    Cancelled,
    /// `error`
    Error,
    /// `expired`
    Expired,
}

impl StatusName {
    /// All statuses.
    pub const ALL: &'static [Self] = Self::VARIANTS;

    /// The name in the API and in the store.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// An attempt whose outcome is open.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pending {
    /// The attempt's operation.
    pub attempt: OperationId,
    /// Its present step.
    pub step: Step,
    /// Whether the session has expired, so that the attempt is being ended.
    pub expiring: bool,
}

/// The step of an open attempt.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// No PSP result yet.
    AwaitingResult,
    /// The PSP has accepted it and will send the result later.
    Accepted(Accepted),
    /// The shopper is in a challenge.
    Challenge(OpenChallenge),
    /// It is being cancelled at the PSP.
    Cancelling(AttemptCancel),
}

/// An attempt that the PSP is processing.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Accepted {
    /// The PSP's reference.
    pub reference: PspReference,
    /// When the challenge that the shopper has completed was opened; `None` without a challenge.
    pub challenge_since: Option<Timestamp>,
}

/// A challenge that the shopper has to complete.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OpenChallenge {
    /// The challenge.
    pub challenge: Challenge,
    /// When it was opened.
    pub since: Timestamp,
}

/// An attempt that is being cancelled.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AttemptCancel {
    /// The cancel operation.
    pub by: OperationId,
    /// The payment that it cancels.
    pub reference: PspReference,
    /// The result for the attempt since then, if any.
    pub outcome: Option<OutcomeDuringCancel>,
}

/// The result for an attempt while it was being cancelled.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum OutcomeDuringCancel {
    /// It was authorized after all.
    Authorized {
        /// The PSP's reference.
        reference: PspReference,
        /// Whether it was captured, too.
        captured: bool,
    },
    /// It was refused.
    Refused(RefusalReason),
}

/// The payment that a session keeps.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Payment {
    /// The attempt that led to it.
    pub attempt: OperationId,
    /// The PSP's reference.
    pub reference: PspReference,
    /// The authorized amount.
    pub authorized: Money,
}

/// A reserved amount.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Authorized {
    /// The payment.
    pub payment: Payment,
    /// The planned automatic capture; `None` if only the merchant captures.
    pub planned_capture: Option<PlannedCapture>,
    /// The capture or cancel whose outcome is open.
    pub in_flight: Option<InFlight>,
    /// Set if the PSP reported that the authorization is gone while an operation was in flight.
    pub lapsed: Option<FailureCode>,
}

/// The automatic capture of an authorized session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PlannedCapture {
    /// When it starts.
    pub due: Timestamp,
    /// The amount to capture: the authorized amount, or the amount of a merchant's capture that was
    /// definitely not sent.
    pub amount: Money,
}

/// A capture or cancel whose outcome is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct InFlight {
    /// The operation.
    pub operation: OperationId,
    /// Which of the two.
    pub kind: InFlightKind,
}

/// Which operation is in flight on an authorized session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum InFlightKind {
    /// A capture.
    Capture,
    /// A cancel.
    Cancel,
}

/// A captured amount.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Captured {
    /// The payment.
    pub payment: Payment,
    /// The operation that captured it (the attempt itself if it was captured at once).
    pub capture: OperationId,
    /// The captured amount.
    pub captured: Money,
    /// The totals of its refunds.
    pub refunds: Refunds,
}

/// Totals of refunds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Refunds {
    /// Requested, outcome open.
    pub requested: Money,
    /// Paid out.
    pub succeeded: Money,
}

/// A released amount.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Cancelled {
    /// The payment.
    pub payment: Payment,
    /// Why, unless the merchant requested it.
    pub failure: Option<FailureCode>,
}

/// An attempt that moved no money.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Unpaid {
    /// Why.
    pub failure: FailureCode,
    /// Whether another attempt is allowed before the expiry.
    pub retry: bool,
}

/// A capture that the PSP reversed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CaptureFailed {
    /// The payment.
    pub payment: Payment,
    /// Refunds that were in progress or paid out.
    pub refunds: Refunds,
}

/// Why a session failed, as the merchant sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum FailureCode {
    /// The issuer declined the card.
    CardDeclined,
    /// Not enough money.
    InsufficientFunds,
    /// The card has expired.
    ExpiredCard,
    /// The shopper failed the challenge.
    AuthenticationFailed,
    /// The shopper abandoned the challenge.
    AuthenticationAbandoned,
    /// The authorization lapsed.
    AuthorizationExpired,
    /// The authorization was voided at the PSP.
    VoidedAtPsp,
    /// The PSP reversed the capture.
    CaptureFailed,
    /// The risk engine refused the payment.
    RiskRejected,
    /// The shopper is on the shared blocklist.
    GlobalBan,
    /// The PSP could not be reached or failed technically.
    PspError,
}

impl FailureCode {
    /// All codes.
    pub const ALL: &'static [Self] = Self::VARIANTS;

    /// The name in the API and in the store.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// The text of `failure.message`.
    pub fn message(self) -> &'static str {
        match self {
            Self::CardDeclined => "The card was declined.",
            Self::InsufficientFunds => "The card has insufficient funds.",
            Self::ExpiredCard => "The card has expired.",
            Self::AuthenticationFailed => "The shopper failed the authentication.",
            Self::AuthenticationAbandoned => "The shopper did not finish the authentication.",
            Self::AuthorizationExpired => "The authorization expired before it was captured.",
            Self::VoidedAtPsp => "The authorization was voided at the payment processor.",
            Self::CaptureFailed => "The capture failed after it had been accepted.",
            Self::RiskRejected => "The payment was rejected by the risk check.",
            Self::GlobalBan => "The shopper cannot be served.",
            Self::PspError => "The payment processor could not be reached.",
        }
    }

    /// The code for a capture or cancel that was refused because the authorization is gone; `None`
    /// for any other refusal.
    pub fn of_lost_authorization(reason: &RefusalReason) -> Option<Self> {
        match reason {
            RefusalReason::NothingHeld => Some(Self::VoidedAtPsp),
            RefusalReason::AuthorizationExpired => Some(Self::AuthorizationExpired),
            _ => None,
        }
    }

    /// The code for a PSP's refusal of an authorization.
    pub fn of_refusal(reason: &RefusalReason) -> Self {
        match reason {
            RefusalReason::InsufficientFunds => Self::InsufficientFunds,
            RefusalReason::ExpiredCard => Self::ExpiredCard,
            RefusalReason::AuthenticationFailed => Self::AuthenticationFailed,
            RefusalReason::NeverSent => Self::PspError,
            RefusalReason::CardDeclined
            | RefusalReason::AuthorizationExpired
            | RefusalReason::AlreadyCaptured
            | RefusalReason::NothingHeld
            | RefusalReason::Other(_) => Self::CardDeclined,
        }
    }
}

impl Status {
    /// The capture or cancel whose outcome is open.
    pub fn in_flight(&self) -> Option<InFlight> {
        match self {
            Self::Authorized(authorized) => authorized.in_flight,
            _ => None,
        }
    }

    /// The payment that the session keeps or kept.
    pub fn payment(&self) -> Option<&Payment> {
        match self {
            Self::Authorized(authorized) => Some(&authorized.payment),
            Self::Captured(captured) => Some(&captured.payment),
            Self::Cancelled(cancelled) => Some(&cancelled.payment),
            Self::CaptureFailed(failed) => Some(&failed.payment),
            Self::Created
            | Self::Pending(_)
            | Self::Refused(_)
            | Self::Error(_)
            | Self::Expired => None,
        }
    }

    /// The name in the API.
    pub fn name(&self) -> StatusName {
        match self {
            Self::Created => StatusName::Created,
            Self::Pending(_) => StatusName::Pending,
            Self::Authorized(_) => StatusName::Authorized,
            Self::Captured(_) => StatusName::Captured,
            Self::Cancelled(_) => StatusName::Cancelled,
            Self::Refused(_) => StatusName::Refused,
            Self::Error(_) | Self::CaptureFailed(_) => StatusName::Error,
            Self::Expired => StatusName::Expired,
        }
    }
}

impl Refunds {
    /// No refunds, in the currency of this amount.
    pub fn none(like: Money) -> Self {
        let zero = Money::zero(like.currency());
        Self {
            requested: zero,
            succeeded: zero,
        }
    }
}
