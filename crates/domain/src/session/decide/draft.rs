//! A decision under construction, with the steps that all rules share.

use crate::{
    audit::AuditAction,
    id::OperationId,
    money::Money,
    operation::{
        CancelPurpose, CompensationMethod, Contradiction, Operation, OperationKind,
        OperationStatus, SendState,
    },
    psp::{PspReference, RefusalReason},
    refund::{Refund, RefundStatus},
    retry,
    session::{
        Attempt, AttemptCancel, AttemptOutcome, Authorized, Captured, Decision, Event, EventKind,
        Failure, FailureCode, InProgress, Payment, PlannedCapture, Refunds, Refusal, Session,
        Status, Step, Unpaid,
    },
    time::Timestamp,
};

/// A decision under construction.
pub(in crate::session) struct Draft {
    pub(in crate::session) session: Session,
    pub(in crate::session) now: Timestamp,
    operations: Vec<Operation>,
    changed_operations: Vec<Operation>,
    pub(super) refund: Option<Refund>,
    pub(in crate::session) changed_refunds: Vec<Refund>,
    events: Vec<Event>,
    audit: Vec<(AuditAction, OperationId)>,
    /// The attempt that this decision ended.
    ended_attempt: Option<OperationId>,
}

impl Draft {
    pub(super) fn new(session: &Session, now: Timestamp) -> Self {
        Self {
            session: session.clone(),
            now,
            operations: Vec::new(),
            changed_operations: Vec::new(),
            refund: None,
            changed_refunds: Vec::new(),
            events: Vec::new(),
            audit: Vec::new(),
            ended_attempt: None,
        }
    }

    /// Finishes the decision; raises the version if anything changed.
    pub(super) fn finish(mut self, before: &Session) -> Result<Decision, Refusal> {
        let changed = self.session != *before
            || !self.operations.is_empty()
            || !self.changed_operations.is_empty()
            || !self.changed_refunds.is_empty()
            || !self.audit.is_empty();
        if changed {
            let version = before.version.checked_add(1);
            self.session.version = version.ok_or(Refusal::Inconsistent("too many versions"))?;
            self.session.updated_at = self.now;
        }
        Ok(Decision {
            session: self.session,
            operations: self.operations,
            changed_operations: self.changed_operations,
            refund: self.refund,
            changed_refunds: self.changed_refunds,
            events: self.events,
            audit: self.audit,
        })
    }

    pub(in crate::session) fn invalid_state(&self) -> Refusal {
        match (&self.session.status, self.session.status.in_flight()) {
            (Status::Pending(_), _) => Refusal::InProgress(InProgress::Attempt),
            (_, Some(flight)) => Refusal::InProgress(flight.kind.into()),
            (_, None) => Refusal::InvalidState(self.session.status_at(self.now)),
        }
    }

    /// Whether the session can no longer be paid: if it holds no funds, it becomes `expired`. Once
    /// the expiry has been handled this stays true, also on a node whose clock is behind.
    pub(in crate::session) fn is_past_expiry(&self) -> bool {
        let is_handled =
            matches!(&self.session.status, Status::Pending(pending) if pending.expiring);
        is_handled || self.now >= self.session.expires_at
    }

    /// Adds an event with the session's new status.
    pub(in crate::session) fn emit(&mut self, kind: EventKind) -> Result<(), Refusal> {
        let failure = self.session.failure().map(Failure::new);
        self.emit_payment(kind, failure)
    }

    /// Adds an event for a capture or cancel that failed while the amount stays reserved.
    pub(in crate::session) fn emit_refusal(
        &mut self,
        kind: EventKind,
        code: FailureCode,
        reason: RefusalReason,
    ) -> Result<(), Refusal> {
        let reason = Some(reason);
        self.emit_payment(kind, Some(Failure { code, reason }))
    }

    fn emit_payment(&mut self, kind: EventKind, failure: Option<Failure>) -> Result<(), Refusal> {
        let amount = match kind {
            EventKind::PaymentCaptured => self.session.amount_captured(),
            _ => self.session.amount,
        };
        let mut event = self.event(kind, amount, self.session.psp_reference().cloned());
        event.failure = failure;
        self.push_event(event)
    }

    pub(in crate::session) fn emit_refund(
        &mut self,
        kind: EventKind,
        refund: &Refund,
    ) -> Result<(), Refusal> {
        let mut event = self.event(kind, refund.amount, refund.psp_reference.clone());
        event.refund = Some(refund.id);
        event.failure = match &refund.status {
            RefundStatus::Failed(reason) => Some(Failure::of_refund(reason)),
            RefundStatus::Requested | RefundStatus::Succeeded => None,
        };
        self.push_event(event)
    }

    fn event(&self, kind: EventKind, amount: Money, reference: Option<PspReference>) -> Event {
        Event {
            session: self.session.id,
            merchant: self.session.merchant,
            sequence: self.session.next_sequence,
            kind,
            status: self.session.status_name(),
            amount,
            amounts: self.session.amounts(),
            failure: None,
            psp_reference: reference,
            attempt: self.attempt_of_event().cloned(),
            refund: None,
            retry_until: self.session.retry_until(self.now),
            at: self.now,
        }
    }

    fn attempt_of_event(&self) -> Option<&Attempt> {
        let ended = || self.session.attempt(self.ended_attempt?);
        self.session.kept_attempt().or_else(ended)
    }

    /// Records how an attempt ended. Does nothing if it is no longer listed; an attempt that is
    /// being compensated stays cancelled, whatever the PSP reports later.
    pub(in crate::session) fn end_attempt(&mut self, id: OperationId, outcome: AttemptOutcome) {
        if let Some(attempt) = self.session.attempt_mut(id) {
            if attempt.outcome != AttemptOutcome::Cancelled {
                attempt.outcome = outcome;
            }
            attempt.counts &= !is_free(outcome);
            self.ended_attempt = Some(id);
        }
    }

    fn push_event(&mut self, event: Event) -> Result<(), Refusal> {
        let next = self.session.next_sequence.checked_add(1);
        self.session.next_sequence = next.ok_or(Refusal::Inconsistent("too many events"))?;
        self.events.push(event);
        Ok(())
    }

    pub(in crate::session) fn record_audit(&mut self, action: AuditAction, operation: OperationId) {
        self.audit.push((action, operation));
    }

    /// Adds a new operation of this session, to be sent at once.
    pub(in crate::session) fn start(
        &mut self,
        id: OperationId,
        kind: OperationKind,
        amount: Money,
        payment: Option<PspReference>,
    ) {
        let operation = self.operation(id, kind, amount, payment);
        self.operations.push(operation);
    }

    fn operation(
        &self,
        id: OperationId,
        kind: OperationKind,
        amount: Money,
        payment: Option<PspReference>,
    ) -> Operation {
        Operation {
            id,
            session: self.session.id,
            merchant: self.session.merchant,
            kind,
            amount,
            account: self.session.account.clone(),
            payment,
            status: OperationStatus::Requested,
            sending: SendState::Intended,
            reference: None,
            failure: None,
            compensated: false,
            contradiction: None,
            created_at: self.now,
            last_sent_at: self.now,
            not_before: self.now,
        }
    }

    pub(in crate::session) fn change_operation(&mut self, operation: Operation) {
        self.changed_operations.push(operation);
    }

    pub(in crate::session) fn succeed(&mut self, mut operation: Operation) {
        operation.status = OperationStatus::Succeeded;
        operation.failure = None;
        self.change_operation(operation);
    }

    pub(in crate::session) fn fail(&mut self, mut operation: Operation, reason: RefusalReason) {
        operation.status = OperationStatus::Failed;
        operation.failure = Some(reason);
        self.change_operation(operation);
    }

    /// Records that the PSP reports a failed operation as done: nothing else changes, and a person
    /// has to look. Recorded once per operation, however often the PSP repeats the report.
    pub(in crate::session) fn record_contradiction(&mut self, mut operation: Operation) {
        if operation.contradiction.is_none() {
            operation.contradiction = Some(Contradiction::Listed);
            self.record_audit(AuditAction::UnexpectedFact, operation.id);
            self.change_operation(operation);
        }
    }

    /// Updates the send state and reference of an operation that stays open.
    pub(in crate::session) fn update_open(
        &mut self,
        operation: Operation,
        sending: SendState,
        reference: Option<PspReference>,
    ) {
        let reference = reference.or_else(|| operation.reference.clone());
        if operation.sending != sending || operation.reference != reference {
            self.change_operation(Operation {
                sending,
                reference,
                ..operation
            });
        }
    }

    /// Compensates an authorization that this session does not keep.
    pub(in crate::session) fn compensate(
        &mut self,
        mut attempt: Operation,
        id: OperationId,
        payment: PspReference,
        by: CompensationMethod,
    ) {
        let kind = OperationKind::Compensation {
            of: attempt.id,
            by,
            round: 0,
        };
        self.start(id, kind, attempt.amount, Some(payment));
        self.record_audit(AuditAction::CompensationStarted, attempt.id);
        attempt.compensated = true;
        self.end_attempt(attempt.id, AttemptOutcome::Cancelled);
        self.change_operation(attempt);
    }

    /// Starts the next compensation after a refused one, with a delay that grows with each round.
    pub(in crate::session) fn compensate_again(
        &mut self,
        refused: &Operation,
        id: OperationId,
        of: OperationId,
        by: CompensationMethod,
        round: u32,
    ) {
        let kind = OperationKind::Compensation { of, by, round };
        let mut next = self.operation(id, kind, refused.amount, refused.payment.clone());
        if round > 0 {
            // Each refusal costs a new operation, so the delay doubles up to the late limit from
            // the start.
            let [.., jitter] = *id.uuid().as_bytes();
            let wait = retry::backoff_delay(round, time::Duration::HOUR, jitter);
            next.not_before = self.now.plus(wait);
        }
        self.operations.push(next);
    }

    pub(in crate::session) fn start_attempt_cancel(
        &mut self,
        id: OperationId,
        purpose: CancelPurpose,
        reference: PspReference,
    ) {
        let amount = self.session.amount;
        self.start(
            id,
            OperationKind::Cancel(purpose),
            amount,
            Some(reference.clone()),
        );
        if let Status::Pending(pending) = &mut self.session.status {
            pending.step = Step::Cancelling(AttemptCancel {
                by: id,
                reference,
                outcome: None,
            });
        }
    }

    /// Keeps this authorization (or, with `captured`, this captured payment).
    pub(in crate::session) fn keep_payment(
        &mut self,
        attempt: OperationId,
        reference: PspReference,
        captured: bool,
    ) -> Result<(), Refusal> {
        let authorized = self.session.amount;
        self.end_attempt(attempt, AttemptOutcome::Authorized);
        let payment = Payment {
            attempt,
            reference,
            authorized,
        };
        if captured {
            let refunds = Refunds::none(authorized);
            let capture = attempt;
            self.session.status = Status::Captured(Captured {
                payment,
                capture,
                captured: authorized,
                refunds,
            });
            return self.emit(EventKind::PaymentCaptured);
        }
        let delay = self.session.automatic_capture.map(i64::from);
        let planned_capture = delay.map(|seconds| PlannedCapture {
            due: self.now.plus_seconds(seconds),
            amount: authorized,
        });
        self.session.status = Status::Authorized(Authorized {
            payment,
            planned_capture,
            in_flight: None,
            lapsed: None,
        });
        self.emit(EventKind::PaymentAuthorized)
    }

    /// Records that no money moved by this attempt, and why.
    pub(in crate::session) fn refuse(&mut self, failure: FailureCode) -> Result<(), Refusal> {
        let for_good = matches!(failure, FailureCode::GlobalBan | FailureCode::RiskRejected);
        let retry = !for_good && self.session.has_tries_left();
        self.session.status = Status::Refused(Unpaid { failure, retry });
        self.emit(EventKind::PaymentRefused)
    }

    pub(in crate::session) fn expire(&mut self) -> Result<(), Refusal> {
        self.session.status = Status::Expired;
        self.emit(EventKind::PaymentExpired)
    }
}

/// Whether an attempt does not count: it was definitely not sent, or its challenge was abandoned.
fn is_free(outcome: AttemptOutcome) -> bool {
    matches!(
        outcome,
        AttemptOutcome::Error(_) | AttemptOutcome::Refused(FailureCode::AuthenticationAbandoned)
    )
}
