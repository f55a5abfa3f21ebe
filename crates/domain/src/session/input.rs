//! Inputs of a session: merchants' commands, shoppers' actions, PSP results, deadlines.

use crate::{
    id::{OperationId, RefundId},
    money::Money,
    operation::Operation,
    psp::{PspDetails, PspResult, TokenFingerprint},
    refund::Refund,
    text::Reference,
};

/// One input; it contains the ids that the decision may need.
#[derive(Clone, Debug)]
pub enum Input {
    /// The shopper pays.
    Pay {
        /// The id of the attempt.
        operation: OperationId,
        /// The fingerprint that identifies the attempt.
        token: TokenFingerprint,
        /// Whether the shopper is on the shared blocklist.
        banned: bool,
    },
    /// The shopper abandons an open challenge.
    Abandon {
        /// The id of the cancel.
        operation: OperationId,
    },
    /// The merchant captures.
    Capture {
        /// The id of the capture.
        operation: OperationId,
        /// The amount in minor units; `None` for all.
        amount: Option<i64>,
        /// The session's capture or cancel in flight, if any. It must be read after the session.
        in_flight: Option<Box<Operation>>,
    },
    /// The merchant cancels.
    Cancel {
        /// The id of the cancel.
        operation: OperationId,
        /// As for a capture.
        in_flight: Option<Box<Operation>>,
    },
    /// The merchant expires an unpaid session.
    Expire,
    /// The merchant refunds.
    Refund {
        /// The id of the operation.
        operation: OperationId,
        /// The id of the refund.
        refund: RefundId,
        /// The amount.
        amount: Money,
        /// The merchant's reference.
        reference: Reference,
    },
    /// Time has passed: expiry, an abandoned challenge, automatic capture.
    Deadline {
        /// The id of the operation that may be needed.
        operation: OperationId,
    },
    /// A PSP result for an operation.
    PspUpdate(Box<PspUpdate>),
}

/// A PSP result for an operation, with everything that the decision may change.
#[derive(Clone, Debug)]
pub struct PspUpdate {
    /// The operation.
    pub operation: Operation,
    /// The result.
    pub result: PspResult,
    /// What the PSP stated with it.
    pub details: PspDetails,
    /// Whether a merchant's request waits for it and gets the response: a refusal then adds no
    /// event.
    pub waiting: bool,
    /// The id of an operation that may be needed (a compensation, or a cancel of the attempt).
    pub next_operation_id: OperationId,
    /// For a cancel that ends an attempt: that attempt's operation.
    pub attempt: Option<Operation>,
    /// For a refund's operation: the refund.
    pub refund: Option<Refund>,
    /// For a capture: refunds of the session that were definitely never sent, with their
    /// operations.
    pub unsent_refunds: Vec<(Refund, Operation)>,
}

impl PspUpdate {
    /// An update whose look-up found nothing, with nothing else loaded.
    pub fn new(operation: Operation, next_operation_id: OperationId) -> Self {
        Self {
            operation,
            result: PspResult::NotFound,
            details: PspDetails::default(),
            waiting: false,
            next_operation_id,
            attempt: None,
            refund: None,
            unsent_refunds: Vec::new(),
        }
    }
}
