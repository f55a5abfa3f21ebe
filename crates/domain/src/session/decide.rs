//! The state machine: (session, input, now) → (new session, operations, events), or a refusal.

mod commands;
mod deadline;
mod draft;

pub(super) use draft::Draft;

use crate::{
    audit::AuditAction,
    id::OperationId,
    operation::Operation,
    refund::Refund,
    session::{Event, Input, Refusal, Session, psp_update},
    time::Timestamp,
};

/// The result of [`Session::decide`], to be committed as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The session afterwards, its version raised by one if anything changed.
    pub session: Session,
    /// New operations, to be committed before they are sent.
    pub operations: Vec<Operation>,
    /// Existing operations that changed.
    pub changed_operations: Vec<Operation>,
    /// A new refund.
    pub refund: Option<Refund>,
    /// Existing refunds that changed.
    pub changed_refunds: Vec<Refund>,
    /// Events for the merchant.
    pub events: Vec<Event>,
    /// Entries for the audit log, with the operation that each is about.
    pub audit: Vec<(AuditAction, OperationId)>,
}

impl Decision {
    /// The decision that changes nothing.
    pub fn nothing(session: Session) -> Self {
        Self {
            session,
            operations: Vec::new(),
            changed_operations: Vec::new(),
            refund: None,
            changed_refunds: Vec::new(),
            events: Vec::new(),
            audit: Vec::new(),
        }
    }

    /// Whether nothing has changed, so that nothing needs to be committed.
    pub fn is_empty(&self, before: &Session) -> bool {
        self.session.version == before.version
    }
}

impl Session {
    /// Decides what an input does to this session at this time. Pure: nothing is sent or stored.
    ///
    /// Source of the rules: `docs/guide/payments.md`. Errors with a [`Refusal`] if the input is not
    /// possible; an outdated PSP result gives an empty decision.
    pub fn decide(&self, input: Input, now: Timestamp) -> Result<Decision, Refusal> {
        let mut draft = Draft::new(self, now);
        match input {
            Input::Pay {
                operation,
                token,
                banned,
            } => draft.pay(operation, token, banned)?,
            Input::Abandon { operation } => draft.abandon(operation)?,
            Input::Capture {
                operation,
                amount,
                in_flight,
            } => draft.capture(operation, amount, in_flight)?,
            Input::Cancel {
                operation,
                in_flight,
            } => draft.cancel(operation, in_flight)?,
            Input::Expire => draft.expire_by_merchant()?,
            Input::Refund {
                operation,
                refund,
                amount,
                reference,
            } => {
                draft.refund(operation, refund, amount, reference)?;
            }
            Input::Deadline { operation } => draft.deadline(operation),
            Input::PspUpdate(psp_update) => psp_update::apply(&mut draft, *psp_update)?,
        }
        draft.finish(self)
    }
}
