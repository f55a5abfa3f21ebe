//! Automatic captures that meet a merchant's capture or cancel, in either order.

use oncharge_domain::{
    operation::{Contradiction, OperationKind, OperationStatus},
    psp::{RefusalReason, Word},
    session::{FailureCode, InProgress, Input, Refusal, Session, Status},
};

use crate::{
    book::{AMOUNT, Book, at},
    rows::{done, nothing_held, refused},
};

fn authorized() -> Book {
    Book::new(Some(60)).paying().told(&done())
}

fn planned(session: &Session) -> Option<i64> {
    let Status::Authorized(authorized) = &session.status else {
        panic!("{:?}", session.status)
    };
    let planned = authorized.planned_capture;
    planned.map(|planned| planned.amount.minor())
}

/// The automatic capture, a minute later; with its amount.
fn captured_by_itself(book: &Book) -> i64 {
    let mut book = book.clone();
    let operation = book.next_id();
    let input = Input::Deadline { operation };
    let decision = book.decide(&input, at(60)).unwrap().unwrap();
    let started = &decision.operations[0];
    assert_eq!(started.kind, OperationKind::Capture { automatic: true });
    started.amount.minor()
}

/// The clock captures what the merchant ordered last, never more.
#[test]
fn a_capture_that_was_not_sent_leaves_its_amount_to_the_clock() {
    let book = authorized();
    assert_eq!(captured_by_itself(&book), AMOUNT);
    for ordered in [40, 70, AMOUNT] {
        let input = book.capture(Some(ordered));
        let book = book.clone().then(&input).told(&Word::NotSent);
        assert_eq!(planned(&book.session), Some(ordered));
        assert_eq!(captured_by_itself(&book), ordered);
        let input = book.capture(Some(30));
        let again = book.then(&input).told(&Word::NotSent);
        assert_eq!(captured_by_itself(&again), 30, "the last order counts");
    }
}

#[test]
fn a_refused_capture_or_a_requested_cancel_ends_automatic_capture() {
    let book = authorized();
    let part = book.capture(Some(40));
    let capture = book.clone().then(&part);
    assert_eq!(planned(&capture.clone().told(&refused()).session), None);
    let cancel = book.cancel();
    let cancel = book.clone().then(&cancel);
    for word in [refused(), Word::NotSent] {
        assert_eq!(planned(&cancel.clone().told(&word).session), None);
    }
    // Also where the merchant's own captures come later.
    let book = cancel.told(&Word::NotSent).capturing().told(&Word::NotSent);
    assert_eq!(planned(&book.session), None);
}

/// A capture or cancel in place of an automatic capture that was definitely not sent.
#[test]
fn an_unsent_automatic_capture_locks_nobody_out() {
    let book = authorized().capturing_by_itself();
    let automatic = book.newest();
    for (input, what) in [
        (book.capture(Some(40)), "a capture before the outcome"),
        (book.cancel(), "a cancel before the outcome"),
    ] {
        let refusal = book.clone().decide(&input, at(61)).unwrap().unwrap_err();
        assert_eq!(refusal, Refusal::InProgress(InProgress::Capture), "{what}");
    }
    let unsent = book.told(&Word::NotSent);
    for input in [unsent.capture(Some(40)), unsent.cancel()] {
        let mut book = unsent.clone();
        let decision = book.decide(&input, at(62)).unwrap().unwrap();
        assert!(decision.events.is_empty(), "{:?}", decision.events);
        let old = &book.operations[&automatic];
        let failed = (OperationStatus::Failed, Some(RefusalReason::NeverSent));
        assert_eq!((old.status, old.failure.clone()), failed);
        let flight = book.session.status.in_flight().unwrap();
        assert_eq!(flight.operation, decision.operations[0].id);
    }
    let cancelled = unsent.clone().cancelling().told(&Word::NotSent);
    assert_eq!(planned(&cancelled.session), None);
    let part = unsent.capture(Some(40));
    let part = unsent.then(&part).told(&Word::NotSent);
    assert_eq!(captured_by_itself(&part), 40);
}

/// Nothing held: the authorization is gone, whoever asked for what.
#[test]
fn a_refusal_because_nothing_is_held_cancels_the_session() {
    let gone = |book: Book, waiting: bool| {
        let mut book = book;
        let heard = book.heard(book.newest(), &nothing_held(), waiting);
        let input = Input::Heard(Box::new(heard));
        let decision = book.decide(&input, at(1)).unwrap().unwrap();
        let events: Vec<_> = decision
            .events
            .iter()
            .map(|event| event.kind.name())
            .collect();
        assert_eq!(events, ["payment.cancelled"]);
        assert_eq!(book.session.failure(), Some(FailureCode::VoidedAtPsp));
        assert_eq!(
            book.operations[&book.newest()].status,
            OperationStatus::Failed
        );
    };
    for waiting in [true, false] {
        gone(authorized().capturing(), waiting);
        gone(authorized().cancelling(), waiting);
    }
    gone(authorized().capturing_by_itself(), false);
}

/// What failed here and is done at the PSP is recorded once for each operation.
#[test]
fn a_contradiction_is_recorded_once() {
    let captured = || authorized().capturing().told(&done());
    for book in [
        authorized().capturing().told(&refused()),
        authorized().cancelling().told(&refused()),
        captured().refunding().told(&refused()),
    ] {
        let operation = book.newest();
        let mut book = book;
        let mut recorded = Vec::new();
        for _ in 0..3 {
            let status = book.session.status.clone();
            let heard = book.heard(operation, &done(), false);
            let input = Input::Heard(Box::new(heard));
            let decision = book.decide(&input, at(5)).unwrap().unwrap();
            assert_eq!(book.session.status, status);
            assert!(decision.events.is_empty(), "{:?}", decision.events);
            recorded.push(decision.audit.len());
        }
        assert_eq!(recorded, [1, 0, 0]);
        assert_eq!(
            book.operations[&operation].contradiction,
            Some(Contradiction::Listed)
        );
    }
}
