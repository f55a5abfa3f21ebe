//! Operations: calls to a PSP that may move money, stored before they are sent.

use strum::{EnumString, IntoStaticStr};

use crate::{
    id::{MerchantId, OperationId, RefundId, SessionId},
    money::Money,
    psp::{Instruction, PspAccount, PspDetails, PspReference, RefusalReason, TokenFingerprint},
    time::Timestamp,
};

/// One call to the PSP, from intent to outcome. Its id is the PSP's idempotency key throughout.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Operation {
    /// Its id, generated once.
    pub id: OperationId,
    /// The session whose money it moves.
    pub session: SessionId,
    /// The session's merchant.
    pub merchant: MerchantId,
    /// What the PSP is asked to do.
    pub kind: OperationKind,
    /// The amount.
    pub amount: Money,
    /// The account it is sent through; only results from this account count.
    pub account: PspAccount,
    /// The payment it acts on; `None` for an authorization.
    pub payment: Option<PspReference>,
    /// Its status.
    pub status: OperationStatus,
    /// How far sending it has come while it is `requested`.
    pub sending: SendState,
    /// The PSP's reference of this operation, once known.
    pub reference: Option<PspReference>,
    /// Why it failed.
    pub failure: Option<RefusalReason>,
    /// Whether a compensation for it has been started: for an authorization that the session does
    /// not keep, or for a cancel or compensation that the PSP reversed.
    pub compensated: bool,
    /// Set once the PSP reports it as done although it has failed here.
    pub contradiction: Option<Contradiction>,
    /// When the intent was decided.
    pub created_at: Timestamp,
    /// When it was last sent, or about to be.
    pub last_sent_at: Timestamp,
    /// The earliest time of the first send; the lifetime of the key at the PSP is counted from here.
    pub not_before: Timestamp,
}

/// What an operation does.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum OperationKind {
    /// One attempt of the shopper to pay.
    Authorize {
        /// The fingerprint that identifies the attempt.
        token: TokenFingerprint,
        /// Whether the amount is captured with the authorization.
        capture: bool,
    },
    /// Captures authorized money.
    Capture {
        /// Whether it was started by the automatic capture instead of the merchant.
        automatic: bool,
    },
    /// Releases authorized money or ends a challenge.
    Cancel(CancelPurpose),
    /// Returns captured money to the shopper at the merchant's request.
    Refund(RefundId),
    /// Reverses a payment that no session keeps.
    Compensation {
        /// The authorization that it reverses, or the cancel of one that the PSP reversed.
        of: OperationId,
        /// The method.
        by: CompensationMethod,
        /// The number of refused compensations before it.
        round: u32,
    },
}

/// Why a payment is cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumString, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum CancelPurpose {
    /// The merchant requested it.
    Merchant,
    /// The shopper abandoned the challenge, or it took longer than ten minutes.
    Abandon,
    /// The session has expired.
    Expiry,
}

impl CancelPurpose {
    /// The name in the store.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// How a payment is reversed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumString, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum CompensationMethod {
    /// By releasing an authorization.
    Void,
    /// By refunding a captured payment.
    Refund,
}

impl CompensationMethod {
    /// The name in the store.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// The status of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumString, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum OperationStatus {
    /// Requested; the outcome is not final.
    Requested,
    /// Done at the PSP.
    Succeeded,
    /// Failed for good.
    Failed,
}

impl OperationStatus {
    /// The name in the store.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// An operation that failed here but is done at the PSP: a person has to reconcile the money.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumString, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Contradiction {
    /// It is listed as stuck.
    Listed,
    /// A person has dismissed it.
    Dismissed,
}

impl Contradiction {
    /// The name in the store.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// How far sending a requested operation has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumString, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum SendState {
    /// Committed; it may be in flight at this moment.
    Intended,
    /// Definitely never sent.
    NotSent,
    /// Sent, but without a conclusive response.
    Unknown,
    /// Sent, and the PSP responded with another reference or amount. The outcome is unknown.
    Mismatched,
    /// The PSP has accepted it.
    Accepted,
}

impl SendState {
    /// The name in the store.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

impl Operation {
    /// Whether the outcome is still pending.
    pub fn is_open(&self) -> bool {
        self.status == OperationStatus::Requested
    }

    /// Whether a PSP's details can be those of this operation: neither reference nor amount differs.
    /// The reference is compared once it is known. A result whose details do not match does not
    /// count.
    pub fn matches(&self, details: &PspDetails) -> bool {
        let is_known = |reference| {
            self.reference
                .as_ref()
                .is_none_or(|known| known == reference)
        };
        details.reference.as_ref().is_none_or(is_known)
            && details.amount.is_none_or(|amount| amount == self.amount)
    }

    /// The instruction for the connector; `None` if the payment it acts on is missing.
    pub fn instruction(&self) -> Option<Instruction> {
        let payment = self.payment.clone();
        Some(match &self.kind {
            OperationKind::Authorize { capture, .. } => Instruction::Authorize {
                amount: self.amount,
                capture: *capture,
            },
            OperationKind::Capture { .. } => Instruction::Capture {
                payment: payment?,
                amount: self.amount,
            },
            OperationKind::Cancel(_)
            | OperationKind::Compensation {
                by: CompensationMethod::Void,
                ..
            } => Instruction::Cancel { payment: payment? },
            OperationKind::Refund(_)
            | OperationKind::Compensation {
                by: CompensationMethod::Refund,
                ..
            } => Instruction::Refund {
                payment: payment?,
                amount: self.amount,
            },
        })
    }
}

impl OperationKind {
    /// The kind's name in the store and in logs.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Authorize { .. } => "authorize",
            Self::Capture { .. } => "capture",
            Self::Cancel(_) => "cancel",
            Self::Refund(_) => "refund",
            Self::Compensation { .. } => "compensation",
        }
    }
}
