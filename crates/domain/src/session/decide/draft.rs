//! A decision in the making, with the few moves that all rules share.

use crate::{
    audit::AuditAction,
    id::OperationId,
    money::Money,
    operation::{
        CancelPurpose, CompensationBy, Operation, OperationKind, OperationStatus, Sending,
    },
    psp::{PspReference, RefusalReason},
    refund::Refund,
    retry,
    session::{
        Authorized, Captured, Decision, Ending, Event, EventKind, FailureCode, MAX_ATTEMPTS,
        Payment, Refunds, Refusal, Session, Status, Step, Unpaid,
    },
    time::Timestamp,
};

/// A decision in the making.
pub(in crate::session) struct Draft {
    pub(in crate::session) session: Session,
    pub(in crate::session) now: Timestamp,
    operations: Vec<Operation>,
    changed_operations: Vec<Operation>,
    pub(super) refund: Option<Refund>,
    pub(in crate::session) changed_refunds: Vec<Refund>,
    events: Vec<Event>,
    audit: Vec<(AuditAction, OperationId)>,
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
        }
    }

    /// Raises the version where anything changed.
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
        Refusal::InvalidState(self.session.status_at(self.now))
    }

    /// Tells the merchant of the session's new status.
    pub(in crate::session) fn emit(&mut self, kind: EventKind) -> Result<(), Refusal> {
        let event = self.event(
            kind,
            self.session.amount,
            self.session.psp_reference().cloned(),
        );
        self.push_event(event)
    }

    /// Tells the merchant of a refund.
    pub(in crate::session) fn emit_refund(
        &mut self,
        kind: EventKind,
        refund: &Refund,
    ) -> Result<(), Refusal> {
        let mut event = self.event(kind, refund.amount, refund.psp_reference.clone());
        event.refund = Some(refund.id);
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
            psp_reference: reference,
            refund: None,
            retry_until: self.session.retry_until(self.now),
            at: self.now,
        }
    }

    fn push_event(&mut self, event: Event) -> Result<(), Refusal> {
        let next = self.session.next_sequence.checked_add(1);
        self.session.next_sequence = next.ok_or(Refusal::Inconsistent("too many events"))?;
        self.events.push(event);
        Ok(())
    }

    pub(in crate::session) fn note(&mut self, action: AuditAction, operation: OperationId) {
        self.audit.push((action, operation));
    }

    /// A new operation of this session, to be sent at once.
    pub(in crate::session) fn start(
        &mut self,
        id: OperationId,
        kind: OperationKind,
        amount: Money,
        payment: Option<PspReference>,
    ) {
        self.start_at(id, kind, (amount, payment), self.now);
    }

    fn start_at(
        &mut self,
        id: OperationId,
        kind: OperationKind,
        (amount, payment): (Money, Option<PspReference>),
        not_before: Timestamp,
    ) {
        self.operations.push(Operation {
            id,
            session: self.session.id,
            merchant: self.session.merchant,
            kind,
            amount,
            account: self.session.account.clone(),
            payment,
            status: OperationStatus::Requested,
            sending: Sending::Intended,
            reference: None,
            failure: None,
            compensated: false,
            created_at: self.now,
            last_sent_at: self.now,
            not_before,
        });
    }

    pub(in crate::session) fn changed(&mut self, operation: Operation) {
        self.changed_operations.push(operation);
    }

    /// The operation is over and succeeded.
    pub(in crate::session) fn succeed(&mut self, mut operation: Operation) {
        operation.status = OperationStatus::Succeeded;
        operation.failure = None;
        self.changed(operation);
    }

    /// The operation is over and failed.
    pub(in crate::session) fn fail(&mut self, mut operation: Operation, reason: RefusalReason) {
        operation.status = OperationStatus::Failed;
        operation.failure = Some(reason);
        self.changed(operation);
    }

    /// The operation stays open; what is known of its way to the PSP has changed.
    pub(in crate::session) fn keep_open(
        &mut self,
        operation: Operation,
        sending: Sending,
        reference: Option<PspReference>,
    ) {
        let reference = reference.or_else(|| operation.reference.clone());
        if operation.sending != sending || operation.reference != reference {
            self.changed(Operation {
                sending,
                reference,
                ..operation
            });
        }
    }

    /// Money arrived that this session does not keep: it goes back.
    pub(in crate::session) fn compensate(
        &mut self,
        mut attempt: Operation,
        id: OperationId,
        (payment, by): (PspReference, CompensationBy),
    ) {
        let kind = OperationKind::Compensation {
            of: attempt.id,
            by,
            round: 0,
        };
        self.start(id, kind, attempt.amount, Some(payment));
        self.note(AuditAction::CompensationStarted, attempt.id);
        attempt.compensated = true;
        self.changed(attempt);
    }

    /// The next compensation after one that the PSP refused, later with each round.
    pub(in crate::session) fn compensate_again(
        &mut self,
        refused: &Operation,
        id: OperationId,
        (of, by, round): (OperationId, CompensationBy, u32),
    ) {
        let wait = retry::wait(round, time::Duration::ZERO, 0);
        let kind = OperationKind::Compensation { of, by, round };
        let not_before = if round == 0 {
            self.now
        } else {
            self.now.plus(wait)
        };
        self.start_at(
            id,
            kind,
            (refused.amount, refused.payment.clone()),
            not_before,
        );
    }

    /// Starts to cancel the open attempt.
    pub(in crate::session) fn start_ending(
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
            pending.step = Step::Ending(Ending {
                by: id,
                reference,
                outcome: None,
            });
        }
    }

    /// The session keeps this authorisation (or, with `captured`, this payment).
    pub(in crate::session) fn keep(
        &mut self,
        attempt: OperationId,
        reference: PspReference,
        captured: bool,
    ) -> Result<(), Refusal> {
        let authorized = self.session.amount;
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
        self.session.status = Status::Authorized(Authorized {
            payment,
            capture_due: delay.map(|seconds| self.now.plus_seconds(seconds)),
            capture_tries: 0,
            in_flight: None,
            lapsed: None,
        });
        self.emit(EventKind::PaymentAuthorized)
    }

    /// No money moved by this attempt, and why.
    pub(in crate::session) fn refuse(&mut self, failure: FailureCode) -> Result<(), Refusal> {
        let for_good = matches!(failure, FailureCode::GlobalBan | FailureCode::RiskRejected);
        let retry = !for_good && self.session.attempts < MAX_ATTEMPTS;
        self.session.status = Status::Refused(Unpaid { failure, retry });
        self.emit(EventKind::PaymentRefused)
    }

    pub(in crate::session) fn expire(&mut self) -> Result<(), Refusal> {
        self.session.status = Status::Expired;
        self.emit(EventKind::PaymentExpired)
    }
}
