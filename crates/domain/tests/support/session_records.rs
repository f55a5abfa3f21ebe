//! A session with its operations and refunds as a store keeps them; every decision is checked
//! against the invariants.

#[path = "attempts.rs"]
mod attempts;

use std::{collections::BTreeMap, hash::Hash};

use oncharge_domain::{
    currency::Currency,
    id::{Id, MerchantId, OperationId, RefundId},
    money::Money,
    operation::{CancelPurpose, Operation, OperationKind, OperationStatus, SendState},
    psp::{PspAccount, PspReference, PspResponse, PspResult, RefusalReason},
    refund::{Refund, RefundStatus},
    session::{
        Decision, Event, EventKind, Input, NewSession, PspUpdate, Refusal, Session, Status,
        StatusName,
    },
    text::{Reference, ReturnUrl},
    time::Timestamp,
};

/// When sessions are created, in Unix seconds.
pub(crate) const START: i64 = 1_795_360_150;
/// The lifetime of sessions, in seconds.
pub(crate) const LIFETIME: i64 = 1800;
/// The amount of sessions, in minor units.
pub(crate) const AMOUNT: i64 = 100;

/// A session and all its records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SessionRecords {
    pub(crate) session: Session,
    pub(crate) operations: BTreeMap<OperationId, Operation>,
    pub(crate) refunds: BTreeMap<RefundId, Refund>,
}

/// The parts that determine what can happen next.
impl Hash for SessionRecords {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.session.status.hash(state);
        self.session.counted_attempts().hash(state);
        self.session.challenges.hash(state);
        self.session.automatic_capture.hash(state);
        self.operations.hash(state);
        for refund in self.refunds.values() {
            refund.status.hash(state);
        }
    }
}

/// This many seconds after [`START`].
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_seconds(START + seconds).unwrap()
}

pub(crate) fn money(minor: i64) -> Money {
    Money::new(minor, Currency::parse("EUR").unwrap()).unwrap()
}

/// The id with this number; numbers are assigned in order of creation.
pub(crate) fn id<K: oncharge_domain::id::Kind>(number: usize) -> Id<K> {
    let [high, low] = u16::try_from(number).unwrap().to_be_bytes();
    Id::from_parts(at(0), [0, 0, 0, 0, 0, 0, 0, 0, high, low])
}

pub(crate) fn reference(text: &str) -> PspReference {
    PspReference::parse(text).unwrap()
}

impl SessionRecords {
    /// A new session; `automatic` is its delay until the automatic capture.
    pub(crate) fn new(automatic: Option<u32>) -> Self {
        let session = Session::create(NewSession {
            id: id(0),
            merchant: MerchantId::from_parts(at(0), [7; 10]),
            account: PspAccount::new("simulator", "default").unwrap(),
            amount: money(AMOUNT),
            reference: Reference::parse("order-42").unwrap(),
            order_id: None,
            return_url: ReturnUrl::parse("https://shop.example.com/thanks", false).unwrap(),
            metadata: oncharge_domain::text::Metadata::default(),
            contact: oncharge_domain::text::Contact::default(),
            automatic_capture: automatic,
            created_at: at(0),
            lifetime_seconds: LIFETIME,
        });
        Self {
            session,
            operations: BTreeMap::new(),
            refunds: BTreeMap::new(),
        }
    }

    /// The id of the next operation.
    pub(crate) fn next_id(&self) -> OperationId {
        id(self.operations.len() + 1)
    }

    /// A merchant's capture, with what a use case would load for it.
    pub(crate) fn capture(&self, amount: Option<i64>) -> Input {
        Input::Capture {
            operation: self.next_id(),
            amount,
            in_flight: self.in_flight(),
        }
    }

    /// A merchant's cancel, with what a use case would load for it.
    pub(crate) fn cancel(&self) -> Input {
        Input::Cancel {
            operation: self.next_id(),
            in_flight: self.in_flight(),
        }
    }

    fn in_flight(&self) -> Option<Box<Operation>> {
        let flight = self.session.status.in_flight()?;
        Some(Box::new(self.operations[&flight.operation].clone()))
    }

    /// A refund request for this amount.
    pub(crate) fn refund(&self, minor: i64) -> Input {
        Input::Refund {
            operation: self.next_id(),
            refund: id(self.refunds.len() + 1),
            amount: money(minor),
            reference: Reference::parse("back").unwrap(),
        }
    }

    /// A PSP result for an operation, with what a use case would load for it.
    pub(crate) fn psp_update(
        &self,
        operation: OperationId,
        result: &PspResult,
        waiting: bool,
    ) -> PspUpdate {
        let operation = self.operations[&operation].clone();
        let mut psp_update = PspUpdate::new(operation.clone(), self.next_id());
        (psp_update.result, psp_update.waiting) = (result.clone(), waiting);
        if let OperationKind::Refund(refund) = operation.kind {
            psp_update.refund = self.refunds.get(&refund).cloned();
        }
        let ends = OperationKind::Cancel(CancelPurpose::Merchant) != operation.kind
            && matches!(operation.kind, OperationKind::Cancel(_));
        if let (true, Status::Pending(pending)) = (ends, &self.session.status) {
            psp_update.attempt = self.operations.get(&pending.attempt).cloned();
        }
        let taken_back = matches!(result, PspResult::Response(PspResponse::Refused(_)))
            && operation.status == OperationStatus::Succeeded;
        if taken_back && matches!(self.session.status, Status::Captured(_)) {
            psp_update.unsent_refunds = self.unsent_refunds();
        }
        psp_update
    }

    fn unsent_refunds(&self) -> Vec<(Refund, Operation)> {
        let with_operation = |refund: &Refund| {
            let operation = self.operations.get(&refund.operation)?;
            let unsent = operation.is_open() && operation.sending == SendState::NotSent;
            unsent.then(|| (refund.clone(), operation.clone()))
        };
        self.refunds.values().filter_map(with_operation).collect()
    }

    /// Decides and applies the decision; fails if the decision violates an invariant.
    pub(crate) fn decide(
        &mut self,
        input: &Input,
        now: Timestamp,
    ) -> Result<Result<Decision, Refusal>, String> {
        let decision = match self.session.decide(input.clone(), now) {
            Ok(decision) => decision,
            Err(Refusal::Inconsistent(why)) => {
                return Err(format!("inconsistent: {why}: {input:?}"));
            }
            Err(refusal) => return Ok(Err(refusal)),
        };
        self.write(&decision)
            .map_err(|rule| format!("{rule}\n  by {input:?}\n  from {:?}", self.session.status))?;
        self.session = decision.session.clone();
        self.check()?;
        Ok(Ok(decision))
    }

    fn write(&mut self, decision: &Decision) -> Result<(), String> {
        let before = self.clone();
        for operation in &decision.changed_operations {
            let Some(old) = self.operations.insert(operation.id, operation.clone()) else {
                return Err(format!("a changed operation does not exist: {operation:?}"));
            };
            check_operation(&old, operation)?;
        }
        for operation in &decision.operations {
            if self
                .operations
                .insert(operation.id, operation.clone())
                .is_some()
            {
                return Err(format!("an operation's id was used twice: {operation:?}"));
            }
        }
        for refund in decision.refund.iter().chain(&decision.changed_refunds) {
            self.refunds.insert(refund.id, refund.clone());
        }
        check_version(&before.session, decision)?;
        check_transition(&before.session, decision)?;
        check_events(&before, decision)
    }

    /// Invariants of every state.
    fn check(&self) -> Result<(), String> {
        let session = &self.session;
        let (refunded, captured) = (session.amount_refunded(), session.amount_captured());
        let authorized = session.amount_authorized();
        let failed = matches!(session.status, Status::CaptureFailed(_));
        let ordered = (refunded.minor() <= captured.minor() || failed)
            && captured.minor() <= authorized.minor()
            && authorized.minor() <= session.amount.minor();
        if !ordered {
            return Err(format!("amounts out of order: {:?}", session.status));
        }
        let total = |status: &dyn Fn(&RefundStatus) -> bool| {
            let refunds = self
                .refunds
                .values()
                .filter(|refund| status(&refund.status));
            refunds.map(|refund| refund.amount.minor()).sum::<i64>()
        };
        let totals = session.refunds();
        let requested = total(&|status| *status == RefundStatus::Requested);
        let succeeded = total(&|status| *status == RefundStatus::Succeeded);
        if (totals.requested.minor(), totals.succeeded.minor()) != (requested, succeeded) {
            return Err(format!("totals {totals:?} of {:?}", self.refunds));
        }
        self.check_in_flight()?;
        self.check_planned_capture()?;
        let flat = session.snapshot();
        let back = Session::restore_status(session.status_name(), &flat, session.amount);
        if back.as_ref() != Ok(&session.status) {
            return Err(format!("{:?} is loaded as {back:?}", session.status));
        }
        attempts::check_list(session, &self.operations)?;
        Ok(())
    }

    /// Automatic capture is off permanently once a cancel was requested or a capture refused, and
    /// never captures more than the merchant requested last.
    fn check_planned_capture(&self) -> Result<(), String> {
        let Status::Authorized(authorized) = &self.session.status else {
            return Ok(());
        };
        let is_cancel =
            |kind: &OperationKind| *kind == OperationKind::Cancel(CancelPurpose::Merchant);
        let is_refused = |operation: &Operation| {
            let was_sent = operation.failure != Some(RefusalReason::NeverSent);
            operation.status == OperationStatus::Failed && was_sent
        };
        let mut ordered = None;
        let mut is_off = self.session.automatic_capture.is_none();
        for operation in self.operations.values() {
            match operation.kind {
                OperationKind::Capture { automatic } => {
                    is_off |= is_refused(operation);
                    if !automatic {
                        ordered = Some(operation.amount);
                    } else if ordered.is_some_and(|ordered| operation.amount != ordered) {
                        return Err(format!(
                            "captures another amount than requested: {operation:?}"
                        ));
                    }
                }
                ref kind => is_off |= is_cancel(kind),
            }
        }
        match authorized.planned_capture {
            Some(planned) if is_off => {
                Err(format!("{planned:?} although automatic capture is off"))
            }
            None if !is_off => Err("automatic capture is off without a reason".to_owned()),
            // A capture whose outcome is open does not count yet.
            Some(planned) if authorized.in_flight.is_none() => {
                let amount = ordered.unwrap_or(authorized.payment.authorized);
                (planned.amount == amount)
                    .then_some(())
                    .ok_or_else(|| format!("{planned:?} instead of {amount:?}"))
            }
            _ => Ok(()),
        }
    }

    /// At most one attempt, capture or merchant's cancel is open, and one cancel of an attempt.
    fn check_in_flight(&self) -> Result<(), String> {
        let open = |fits: &dyn Fn(&OperationKind) -> bool| {
            let open = self
                .operations
                .values()
                .filter(|operation| operation.is_open());
            open.filter(|operation| fits(&operation.kind)).count()
        };
        let modifying = open(&|kind| match kind {
            OperationKind::Authorize { .. } | OperationKind::Capture { .. } => true,
            OperationKind::Cancel(purpose) => *purpose == CancelPurpose::Merchant,
            _ => false,
        });
        let ending = open(
            &|kind| matches!(kind, OperationKind::Cancel(purpose) if *purpose != CancelPurpose::Merchant),
        );
        if modifying > 1 || ending > 1 {
            return Err(format!(
                "{modifying} and {ending} in flight: {:?}",
                self.operations
            ));
        }
        Ok(())
    }
}

fn check_operation(old: &Operation, new: &Operation) -> Result<(), String> {
    let fixed = |operation: &Operation| {
        (
            operation.kind.clone(),
            operation.amount,
            operation.payment.clone(),
            operation.account.clone(),
            operation.created_at,
        )
    };
    if fixed(old) != fixed(new) {
        return Err(format!(
            "an operation's instruction has changed: {old:?} to {new:?}"
        ));
    }
    let refund = matches!(old.kind, OperationKind::Refund(_));
    let attempt = matches!(old.kind, OperationKind::Authorize { .. });
    let allowed = match (old.status, new.status) {
        (before, after) if before == after => true,
        (OperationStatus::Requested, _) => true,
        // The PSP reversed a refund.
        (OperationStatus::Succeeded, OperationStatus::Failed) => refund,
        // A refused attempt was authorized after all; it is compensated.
        (OperationStatus::Failed, OperationStatus::Succeeded) => attempt && new.compensated,
        _ => false,
    };
    if !allowed || (old.compensated && !new.compensated) {
        return Err(format!("{old:?} became {new:?}"));
    }
    Ok(())
}

fn check_version(before: &Session, decision: &Decision) -> Result<(), String> {
    let empty = decision.operations.is_empty()
        && decision.changed_operations.is_empty()
        && decision.refund.is_none()
        && decision.changed_refunds.is_empty()
        && decision.events.is_empty()
        && decision.audit.is_empty();
    let step = decision.session.version - before.version;
    let same =
        decision.session.status == before.status && decision.session.attempts == before.attempts;
    match (empty && same, step) {
        (true, 0) | (false, 1) => Ok(()),
        _ => Err(format!("the version increased by {step}: {decision:?}")),
    }
}

/// A final status is never left, except `captured` by a failed capture.
fn check_transition(before: &Session, decision: &Decision) -> Result<(), String> {
    let (old, new) = (before, &decision.session);
    let moved = old.status_name() != new.status_name();
    let allowed = match &old.status {
        Status::Created => !matches!(new.status, Status::Captured(_) | Status::Cancelled(_)),
        Status::Pending(_) => !matches!(new.status, Status::Created | Status::Cancelled(_)),
        Status::Authorized(_) => matches!(new.status, Status::Captured(_) | Status::Cancelled(_)),
        Status::Captured(_) => matches!(new.status, Status::CaptureFailed(_)),
        Status::Refused(unpaid) | Status::Error(unpaid) => {
            unpaid.retry && !matches!(new.status, Status::Created)
        }
        Status::Cancelled(_) | Status::CaptureFailed(_) | Status::Expired => false,
    };
    if moved && !allowed {
        return Err(format!("{:?} became {:?}", old.status, new.status));
    }
    attempts::check_tries(old, new)
}

/// Every change is reported exactly once, numbered without gaps.
fn check_events(before: &SessionRecords, decision: &Decision) -> Result<(), String> {
    let old = &before.session;
    for (number, event) in (old.next_sequence..).zip(&decision.events) {
        if event.sequence != number || event.status != decision.session.status_name() {
            return Err(format!("event {number}: {event:?}"));
        }
        check_event(&decision.session, event)?;
        attempts::check_event(old, &decision.session, event)?;
    }
    // An event before the last one shows the totals before the changes that follow it.
    if let Some(last) = decision.events.last()
        && last.amounts != decision.session.amounts()
    {
        return Err(format!(
            "totals of {last:?} in {:?}",
            decision.session.status
        ));
    }
    let count = u32::try_from(decision.events.len()).unwrap();
    if decision.session.next_sequence != old.next_sequence + count {
        return Err(format!("next event: {}", decision.session.next_sequence));
    }
    let mut emitted: Vec<EventKind> = decision.events.iter().map(|event| event.kind).collect();
    let mut expected = expected_status_events(old, &decision.session);
    expected.extend(decision.refund.iter().map(|_| EventKind::RefundRequested));
    for refund in &decision.changed_refunds {
        if before.refunds.get(&refund.id).map(|old| &old.status) != Some(&refund.status) {
            expected.push(match refund.status {
                RefundStatus::Requested => EventKind::RefundRequested,
                RefundStatus::Succeeded => EventKind::RefundSucceeded,
                RefundStatus::Failed(_) => EventKind::RefundFailed,
            });
        }
    }
    // A failed capture or cancel may be reported without a change of status.
    let failing = [
        EventKind::PaymentCaptureFailed,
        EventKind::PaymentCancelFailed,
    ];
    if old.status_name() == decision.session.status_name() {
        emitted.retain(|kind| !failing.contains(kind));
    }
    emitted.sort_by_key(|kind| kind.name());
    expected.sort_by_key(|kind| kind.name());
    if emitted != expected {
        return Err(format!("emitted {emitted:?} instead of {expected:?}"));
    }
    Ok(())
}

/// An event has its subject and, for a failure, its reason.
fn check_event(session: &Session, event: &Event) -> Result<(), String> {
    let about = match event.kind {
        EventKind::PaymentCaptured => event.amounts.captured,
        EventKind::RefundRequested | EventKind::RefundSucceeded | EventKind::RefundFailed => {
            event.amount
        }
        _ => session.amount,
    };
    let fails = match event.kind {
        EventKind::PaymentRefused
        | EventKind::PaymentError
        | EventKind::PaymentCaptureFailed
        | EventKind::PaymentCancelFailed
        | EventKind::RefundFailed => true,
        EventKind::PaymentCancelled => session.failure().is_some(),
        _ => false,
    };
    if event.amount != about || event.failure.is_some() != fails {
        return Err(format!("an event with other data: {event:?}"));
    }
    Ok(())
}

fn expected_status_events(old: &Session, new: &Session) -> Vec<EventKind> {
    // A banned retry goes from refused to refused, which is reported as well.
    let again = matches!((&old.status, &new.status),
        (Status::Refused(old), Status::Refused(new)) if old != new);
    if old.status_name() == new.status_name() && !again {
        return Vec::new();
    }
    match new.status_name() {
        StatusName::Created | StatusName::Pending => Vec::new(),
        StatusName::Authorized => vec![EventKind::PaymentAuthorized],
        StatusName::Captured => vec![EventKind::PaymentCaptured],
        StatusName::Refused => vec![EventKind::PaymentRefused],
        StatusName::Cancelled => vec![EventKind::PaymentCancelled],
        StatusName::Expired => vec![EventKind::PaymentExpired],
        StatusName::Error if matches!(new.status, Status::CaptureFailed(_)) => {
            vec![EventKind::PaymentCaptureFailed]
        }
        StatusName::Error => vec![EventKind::PaymentError],
    }
}
