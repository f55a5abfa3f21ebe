//! Invariants of a session's attempts in every state.

use std::collections::BTreeMap;

use oncharge_domain::{
    id::OperationId,
    operation::{Operation, OperationKind, OperationStatus},
    session::{
        Attempt, AttemptOutcome, Event, EventKind, FailureCode, MAX_LISTED_ATTEMPTS, Session,
        Status, Step,
    },
};

/// Attempts and challenges stay within their limits, and an abandoned challenge is not counted.
pub(super) fn check_tries(old: &Session, new: &Session) -> Result<(), String> {
    let abandoned = matches!((&old.status, &new.status),
        (Status::Pending(_), Status::Refused(unpaid))
            if unpaid.failure == FailureCode::AuthenticationAbandoned);
    let opened = matches!((&old.status, &new.status), (Status::Pending(old), Status::Pending(new))
        if matches!(new.step, Step::Challenge(_)) && !matches!(old.step, Step::Challenge(_)));
    let counts = (new.counted_attempts(), new.challenges);
    if counts.0 > 3 || new.challenges > 10 || new.challenges < old.challenges {
        return Err(format!("attempts and challenges: {counts:?}"));
    }
    if abandoned && counts.0 + 1 != old.counted_attempts() {
        return Err(format!("an abandoned challenge was counted: {counts:?}"));
    }
    if new.challenges > old.challenges && !opened {
        return Err(format!(
            "a challenge was counted and not opened: {counts:?}"
        ));
    }
    Ok(())
}

/// Every authorize operation is listed until the list is full, and its entry agrees with the
/// session and with the operation.
pub(super) fn check_list(
    session: &Session,
    operations: &BTreeMap<OperationId, Operation>,
) -> Result<(), String> {
    let is_attempt =
        |operation: &&Operation| matches!(operation.kind, OperationKind::Authorize { .. });
    let made = operations.values().filter(is_attempt).count();
    if session.attempts.len() != made.min(MAX_LISTED_ATTEMPTS) {
        return Err(format!("{made} attempts: {:?}", session.attempts));
    }
    for attempt in &session.attempts {
        check_attempt(session, operations, attempt)
            .map_err(|rule| format!("{rule}: {attempt:?} in {:?}", session.status))?;
    }
    Ok(())
}

fn check_attempt(
    session: &Session,
    operations: &BTreeMap<OperationId, Operation>,
    attempt: &Attempt,
) -> Result<(), &'static str> {
    let operation = operations.get(&attempt.id).ok_or("no operation")?;
    let current = match &session.status {
        Status::Pending(pending) => Some(pending.attempt),
        _ => None,
    };
    let kept = session.kept_attempt().map(|kept| kept.id);
    let (is_current, is_kept) = (current == Some(attempt.id), kept == Some(attempt.id));
    // While it is being cancelled, the current attempt can be reported as refused and then as done.
    let is_pending = attempt.outcome == AttemptOutcome::Pending;
    if is_current != is_pending && !(is_current && operation.compensated) {
        return Err("exactly the current attempt is pending, unless it is compensated");
    }
    if is_kept != (attempt.outcome == AttemptOutcome::Authorized) {
        return Err("exactly the kept attempt is authorized");
    }
    if operation.compensated != (attempt.outcome == AttemptOutcome::Cancelled) {
        return Err("exactly a compensated attempt is cancelled");
    }
    let ended = !matches!(operation.status, OperationStatus::Requested);
    let may_be_open = is_current || attempt.outcome == AttemptOutcome::Cancelled;
    if !ended && !may_be_open {
        return Err("an open operation of an attempt that has ended");
    }
    if Attempt::restore(&attempt.snapshot()).as_ref() != Ok(attempt) {
        return Err("the list changes when it is stored and loaded");
    }
    Ok(())
}

/// An event carries its attempt as it is after the change.
pub(super) fn check_event(old: &Session, new: &Session, event: &Event) -> Result<(), String> {
    let current = match &old.status {
        Status::Pending(pending) => new.attempt(pending.attempt),
        _ => None,
    };
    let about = match event.kind {
        EventKind::PaymentRefused | EventKind::PaymentError | EventKind::PaymentExpired => current,
        _ => new.kept_attempt(),
    };
    if event.attempt.as_ref() != about {
        return Err(format!("an event about another attempt: {event:?}"));
    }
    Ok(())
}
