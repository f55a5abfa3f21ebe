//! 3-D Secure challenges: how many there can be, which tries count, and how long one stays open.

use oncharge_domain::{
    id::OperationId,
    psp::Word,
    session::{FailureCode, Input, Next, RetryReason, Session, Status, Step},
    time::Timestamp,
};

use crate::{
    book::{Book, LIFETIME, at},
    cell, place,
    rows::{accepted, challenge, done, refused},
};

/// A book whose session has this lifetime, with a challenge that was opened after so many seconds.
fn opened(lifetime: i64, seconds: i64) -> Book {
    let mut book = Book::new(None);
    book.session.expires_at = at(lifetime);
    let mut book = book.paying();
    apply(&mut book, seconds, &challenge());
    assert_eq!(
        place(&book.session),
        "challenge",
        "opened after {seconds} s"
    );
    book
}

/// Applies a PSP result for the newest operation.
fn apply(book: &mut Book, seconds: i64, result: &Word) {
    let operation = book.newest();
    apply_to(book, operation, seconds, result);
}

fn apply_to(book: &mut Book, operation: OperationId, seconds: i64, result: &Word) {
    let heard = book.heard(operation, result, false);
    let input = Input::Heard(Box::new(heard));
    book.decide(&input, at(seconds)).unwrap().unwrap();
}

fn deadline(book: &mut Book, seconds: i64) {
    let operation = book.next_id();
    let input = Input::Deadline { operation };
    book.decide(&input, at(seconds)).unwrap().unwrap();
}

fn abandon(book: &mut Book, seconds: i64) {
    let operation = book.next_id();
    let input = Input::Abandon { operation };
    book.decide(&input, at(seconds)).unwrap().unwrap();
}

/// The next step of a session that allows another try.
fn last_try(session: &Session) -> Option<bool> {
    match session.next(at(0)) {
        Next::Retry { last_try, .. } => Some(last_try),
        _ => None,
    }
}

#[test]
fn an_abandoned_challenge_does_not_count_as_an_attempt() {
    let mut book = Book::new(None);
    for number in 1..=5 {
        book = book.paying().told(&challenge()).abandoning().told(&done());
        assert_eq!(
            book.session.counted_attempts(),
            0,
            "after {number} challenges"
        );
        assert_eq!(book.session.challenges, number);
        let retry = Next::Retry {
            reason: RetryReason::AuthenticationFailed,
            last_try: false,
        };
        assert_eq!(book.session.next(at(0)), retry);
    }
    let book = book.paying().told(&refused());
    assert_eq!(book.session.counted_attempts(), 1, "a refusal counts");
}

#[test]
fn a_challenge_that_ends_after_ten_minutes_does_not_count_as_an_attempt() {
    let mut book = opened(LIFETIME, 0);
    deadline(&mut book, 600);
    apply(&mut book, 601, &done());
    assert_eq!(
        book.session.failure(),
        Some(FailureCode::AuthenticationAbandoned)
    );
    assert_eq!(book.session.counted_attempts(), 0);
    assert!(book.session.retry_until(at(601)).is_some());
}

/// The issuer's refusal counts, also where it becomes known only while the challenge is cancelled.
#[test]
fn a_challenge_that_the_shopper_failed_counts_as_an_attempt() {
    let mut book = opened(LIFETIME, 0);
    let attempt = book.newest();
    abandon(&mut book, 1);
    apply_to(&mut book, attempt, 2, &refused());
    apply(&mut book, 3, &done());
    assert_eq!(book.session.failure(), Some(FailureCode::CardDeclined));
    assert_eq!(book.session.counted_attempts(), 1);
}

#[test]
fn the_tenth_challenge_is_the_last() {
    let mut book = Book::new(None);
    for _ in 0..9 {
        book = book.paying().told(&challenge()).abandoning().told(&done());
    }
    assert_eq!(last_try(&book.session), Some(true));
    let book = book.paying().told(&challenge()).abandoning().told(&done());
    assert_eq!(
        (book.session.counted_attempts(), book.session.challenges),
        (0, 10)
    );
    assert_eq!(place(&book.session), "refused-final");
    assert_eq!(book.session.next(at(0)), Next::None);
}

#[test]
fn the_last_try_is_announced() {
    let book = Book::new(None).paying().told(&refused());
    assert_eq!(
        last_try(&book.session),
        Some(false),
        "two attempts are left"
    );
    let book = book.paying().told(&refused());
    assert_eq!(last_try(&book.session), Some(true), "one attempt is left");
    let book = book.paying().told(&Word::NotSent);
    assert_eq!(last_try(&book.session), Some(true), "it was not sent");
    let book = book.paying().told(&refused());
    assert_eq!(last_try(&book.session), None, "no attempt is left");
}

/// Ten minutes after it was opened; at the latest ten minutes, or one lifetime, after `expires_at`.
#[test]
fn an_open_challenge_has_an_end_of_its_own() {
    for (lifetime, seconds, ends) in [
        (LIFETIME, 0, 600),
        (LIFETIME, 1500, 2100),
        (LIFETIME, LIFETIME - 1, LIFETIME + 599),
        (600, 599, 1199),
        (60, 0, 120),
        (60, 59, 120),
        (10, 5, 20),
    ] {
        let mut book = opened(lifetime, seconds);
        let case = format!("lifetime {lifetime} s, opened after {seconds} s");
        assert_eq!(book.session.due_at(), Some(at(ends)), "{case}");
        let operation = book.next_id();
        let input = Input::Deadline { operation };
        assert_eq!(cell(&book, &input, ends - 1), ".", "{case}");
        deadline(&mut book, ends);
        let ended = if ends < lifetime {
            "ending"
        } else {
            "x-ending"
        };
        assert_eq!(place(&book.session), ended, "{case}");
        // A challenge that is cancelled before the expiry is looked at again when the time is over.
        let due = (ends < lifetime).then(|| at(lifetime));
        assert_eq!(book.session.due_at(), due, "{case}");
    }
}

#[test]
fn a_challenge_may_finish_after_the_expiry() {
    let open = || opened(LIFETIME, LIFETIME - 60);
    for (result, wanted) in [(done(), "authorized"), (refused(), "expired")] {
        let mut book = open();
        apply(&mut book, LIFETIME + 300, &result);
        assert_eq!(place(&book.session), wanted, "{result:?}");
    }
    let mut book = open();
    abandon(&mut book, LIFETIME + 300);
    assert_eq!(place(&book.session), "x-ending");
    apply(&mut book, LIFETIME + 301, &done());
    assert_eq!(place(&book.session), "expired", "no other card can be used");
}

/// The PSP processes the payment after the challenge: it is not cut off either.
#[test]
fn processing_after_a_challenge_may_finish_after_the_expiry() {
    let mut book = opened(LIFETIME, LIFETIME - 60);
    apply(&mut book, LIFETIME + 300, &accepted());
    assert_eq!(place(&book.session), "accepted");
    assert_eq!(book.session.due_at(), Some(at(LIFETIME + 540)));
    // The same challenge reported once more: not counted twice, not prolonged.
    apply(&mut book, LIFETIME + 301, &challenge());
    assert_eq!(
        (place(&book.session).as_str(), book.session.challenges),
        ("challenge", 1)
    );
    assert_eq!(since(&book.session), Some(at(LIFETIME - 60)));
    apply(&mut book, LIFETIME + 302, &accepted());
    deadline(&mut book, LIFETIME + 540);
    assert_eq!(place(&book.session), "x-ending");

    let mut early = opened(LIFETIME, 0);
    apply(&mut early, 60, &accepted());
    assert_eq!(
        early.session.due_at(),
        Some(at(LIFETIME)),
        "as any payment that is processed"
    );
}

#[test]
fn a_challenge_is_not_opened_after_the_expiry() {
    let mut asking = Book::new(None).paying();
    apply(&mut asking, LIFETIME, &challenge());
    assert_eq!(
        place(&asking.session),
        "x-ending",
        "before the worker has looked at it"
    );
    assert_eq!(asking.session.due_at(), None);
    let mut processed = Book::new(None).paying().told(&accepted());
    apply(&mut processed, LIFETIME, &challenge());
    assert_eq!(place(&processed.session), "x-ending");
}

/// What is refused at the expiry or later ends as `expired`, whether or not the worker came first.
#[test]
fn nothing_held_after_the_expiry_is_expired() {
    for result in [refused(), Word::NotSent] {
        let mut book = Book::new(None).paying();
        apply(&mut book, LIFETIME, &result);
        assert_eq!(place(&book.session), "expired", "{result:?}");
    }
}

fn since(session: &Session) -> Option<Timestamp> {
    match &session.status {
        Status::Pending(pending) => match &pending.step {
            Step::Challenge(open) => Some(open.since),
            _ => None,
        },
        _ => None,
    }
}
