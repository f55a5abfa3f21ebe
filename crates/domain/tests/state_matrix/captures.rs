//! Automatic captures combined with a merchant's capture or cancel, in either order.

use oncharge_domain::{
    operation::{Contradiction, OperationKind, OperationStatus},
    psp::{PspResult, RefusalReason},
    session::{FailureCode, InProgress, Input, Refusal, Session, Status},
};

use crate::{
    rows::{done, nothing_held, refused},
    session_records::{AMOUNT, SessionRecords, at},
};

fn authorized() -> SessionRecords {
    SessionRecords::new(Some(60)).paying().with_result(&done())
}

fn planned(session: &Session) -> Option<i64> {
    let Status::Authorized(authorized) = &session.status else {
        panic!("{:?}", session.status)
    };
    let planned = authorized.planned_capture;
    planned.map(|planned| planned.amount.minor())
}

/// The amount of the automatic capture, a minute later.
fn automatic_capture_amount(records: &SessionRecords) -> i64 {
    let mut records = records.clone();
    let operation = records.next_id();
    let input = Input::Deadline { operation };
    let decision = records.decide(&input, at(60)).unwrap().unwrap();
    let started = &decision.operations[0];
    assert_eq!(started.kind, OperationKind::Capture { automatic: true });
    started.amount.minor()
}

/// The automatic capture uses the amount that the merchant requested last, never more.
#[test]
fn an_unsent_capture_sets_the_automatic_amount() {
    let records = authorized();
    assert_eq!(automatic_capture_amount(&records), AMOUNT);
    for ordered in [40, 70, AMOUNT] {
        let input = records.capture(Some(ordered));
        let records = records
            .clone()
            .then(&input)
            .with_result(&PspResult::NotSent);
        assert_eq!(planned(&records.session), Some(ordered));
        assert_eq!(automatic_capture_amount(&records), ordered);
        let input = records.capture(Some(30));
        let again = records.then(&input).with_result(&PspResult::NotSent);
        assert_eq!(
            automatic_capture_amount(&again),
            30,
            "the amount of the last request"
        );
    }
}

#[test]
fn a_refused_capture_or_a_requested_cancel_ends_automatic_capture() {
    let records = authorized();
    let part = records.capture(Some(40));
    let capture = records.clone().then(&part);
    assert_eq!(
        planned(&capture.clone().with_result(&refused()).session),
        None
    );
    let cancel = records.cancel();
    let cancel = records.clone().then(&cancel);
    for result in [refused(), PspResult::NotSent] {
        assert_eq!(planned(&cancel.clone().with_result(&result).session), None);
    }
    // Also if the merchant's own captures come later.
    let records = cancel
        .with_result(&PspResult::NotSent)
        .capturing()
        .with_result(&PspResult::NotSent);
    assert_eq!(planned(&records.session), None);
}

/// A capture or cancel in place of an automatic capture that was definitely not sent.
#[test]
fn an_unsent_automatic_capture_can_be_replaced() {
    let records = authorized().capturing_automatically();
    let automatic = records.newest();
    for (input, what) in [
        (records.capture(Some(40)), "a capture before the outcome"),
        (records.cancel(), "a cancel before the outcome"),
    ] {
        let refusal = records.clone().decide(&input, at(61)).unwrap().unwrap_err();
        assert_eq!(refusal, Refusal::InProgress(InProgress::Capture), "{what}");
    }
    let unsent = records.with_result(&PspResult::NotSent);
    for input in [unsent.capture(Some(40)), unsent.cancel()] {
        let mut records = unsent.clone();
        let decision = records.decide(&input, at(62)).unwrap().unwrap();
        assert!(decision.events.is_empty(), "{:?}", decision.events);
        let old = &records.operations[&automatic];
        let failed = (OperationStatus::Failed, Some(RefusalReason::NeverSent));
        assert_eq!((old.status, old.failure.clone()), failed);
        let flight = records.session.status.in_flight().unwrap();
        assert_eq!(flight.operation, decision.operations[0].id);
    }
    let cancelled = unsent.clone().cancelling().with_result(&PspResult::NotSent);
    assert_eq!(planned(&cancelled.session), None);
    let part = unsent.capture(Some(40));
    let part = unsent.then(&part).with_result(&PspResult::NotSent);
    assert_eq!(automatic_capture_amount(&part), 40);
}

/// `NothingHeld`: the authorization is gone, whichever operation was requested.
#[test]
fn a_refusal_because_nothing_is_held_cancels_the_session() {
    let gone = |records: SessionRecords, waiting: bool| {
        let mut records = records;
        let psp_update = records.psp_update(records.newest(), &nothing_held(), waiting);
        let input = Input::PspUpdate(Box::new(psp_update));
        let decision = records.decide(&input, at(1)).unwrap().unwrap();
        let events: Vec<_> = decision
            .events
            .iter()
            .map(|event| event.kind.name())
            .collect();
        assert_eq!(events, ["payment.cancelled"]);
        assert_eq!(records.session.failure(), Some(FailureCode::VoidedAtPsp));
        assert_eq!(
            records.operations[&records.newest()].status,
            OperationStatus::Failed
        );
    };
    for waiting in [true, false] {
        gone(authorized().capturing(), waiting);
        gone(authorized().cancelling(), waiting);
    }
    gone(authorized().capturing_automatically(), false);
}

/// An operation that failed here and is done at the PSP is recorded once.
#[test]
fn a_contradiction_is_recorded_once() {
    let captured = || authorized().capturing().with_result(&done());
    for records in [
        authorized().capturing().with_result(&refused()),
        authorized().cancelling().with_result(&refused()),
        captured().refunding().with_result(&refused()),
    ] {
        let operation = records.newest();
        let mut records = records;
        let mut recorded = Vec::new();
        for _ in 0..3 {
            let status = records.session.status.clone();
            let psp_update = records.psp_update(operation, &done(), false);
            let input = Input::PspUpdate(Box::new(psp_update));
            let decision = records.decide(&input, at(5)).unwrap().unwrap();
            assert_eq!(records.session.status, status);
            assert!(decision.events.is_empty(), "{:?}", decision.events);
            recorded.push(decision.audit.len());
        }
        assert_eq!(recorded, [1, 0, 0]);
        assert_eq!(
            records.operations[&operation].contradiction,
            Some(Contradiction::Listed)
        );
    }
}
