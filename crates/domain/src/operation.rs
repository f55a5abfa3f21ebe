//! Operations: every call to a PSP that may move money, written down before it is made.

use crate::{
    id::{MerchantId, OperationId, RefundId, SessionId},
    money::Money,
    psp::{Instruction, PspAccount, PspReference, RefusalReason, TokenFingerprint},
    time::Timestamp,
};

/// One call to the PSP, from intent to end. Its id is the PSP's idempotency key, for good.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Operation {
    /// Its id, minted once.
    pub id: OperationId,
    /// The session whose money it moves.
    pub session: SessionId,
    /// The session's merchant.
    pub merchant: MerchantId,
    /// What it is to do.
    pub kind: OperationKind,
    /// How much money it is about.
    pub amount: Money,
    /// The account it is sent through; facts count only from this very account.
    pub account: PspAccount,
    /// The payment it acts on; `None` for an authorisation.
    pub payment: Option<PspReference>,
    /// Where it stands.
    pub status: OperationStatus,
    /// What is known of its way to the PSP while it is `requested`.
    pub sending: SendState,
    /// The PSP's reference of this very call, as soon as one is known.
    pub reference: Option<PspReference>,
    /// Why it failed.
    pub failure: Option<RefusalReason>,
    /// Whether a compensation for it has been started: for an authorisation that the session
    /// does not keep, for a cancel or compensation that the PSP took back.
    pub compensated: bool,
    /// Set once the PSP reports it as done although it has failed here.
    pub contradiction: Option<Contradiction>,
    /// When the intent was decided.
    pub created_at: Timestamp,
    /// When it was last (about to be) sent.
    pub last_sent_at: Timestamp,
    /// It is not sent before this time: the PSP remembers its key from then on at the earliest.
    pub not_before: Timestamp,
}

/// What an operation is to do.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum OperationKind {
    /// One attempt of the shopper to pay.
    Authorize {
        /// The identity of the try.
        token: TokenFingerprint,
        /// Whether the money is captured with the authorisation.
        capture: bool,
    },
    /// Takes authorised money.
    Capture {
        /// By the clock, not by the merchant.
        automatic: bool,
    },
    /// Releases authorised money or ends a challenge.
    Cancel(CancelPurpose),
    /// Gives captured money back to the shopper on the merchant's order.
    Refund(RefundId),
    /// Sends money back that arrived for a session that was not waiting for it.
    Compensation {
        /// The authorisation whose money goes back, or the cancel of it that the PSP took back.
        of: OperationId,
        /// How.
        by: CompensationMethod,
        /// How many were refused before it.
        round: u32,
    },
}

/// Why a payment is cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CancelPurpose {
    /// The merchant's order.
    Merchant,
    /// The shopper gave up the challenge, or ten minutes passed without an end.
    Abandon,
    /// The session's time is over.
    Expiry,
}

/// How money goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CompensationMethod {
    /// By releasing an authorisation.
    Void,
    /// By refunding a captured payment.
    Refund,
}

/// Where an operation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OperationStatus {
    /// Wanted; the outcome is not final.
    Requested,
    /// Done at the PSP.
    Succeeded,
    /// Finally not done.
    Failed,
}

/// An operation that failed here and is done at the PSP: money that a person has to look after.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Contradiction {
    /// It is listed as stuck.
    Listed,
    /// A person has dealt with it.
    Dismissed,
}

/// What is known of a requested operation's way to the PSP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SendState {
    /// Written down; it may be on its way this moment.
    Intended,
    /// Surely never sent.
    NotSent,
    /// Sent, but no answer that counts.
    Unknown,
    /// The PSP has taken it in.
    Accepted,
}

impl Operation {
    /// Whether an answer is still to come.
    pub fn is_open(&self) -> bool {
        self.status == OperationStatus::Requested
    }

    /// What the connector is asked to do; `None` where the payment it acts on is missing.
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
    /// The kind's name as it is stored and logged.
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
