//! 3-D Secure challenges: their maximum number, which attempts count, and their time-out.

use oncharge_domain::{
    id::OperationId,
    psp::PspResult,
    session::{FailureCode, Input, NextAction, RetryReason, Session, Status, Step},
    time::Timestamp,
};

use crate::{
    cell, place,
    rows::{accepted, challenge, done, refused},
    session_records::{LIFETIME, SessionRecords, at},
};

/// The records of a session with this lifetime, with a challenge opened after this many seconds.
fn opened(lifetime: i64, seconds: i64) -> SessionRecords {
    let mut records = SessionRecords::new(None);
    records.session.expires_at = at(lifetime);
    let mut records = records.paying();
    apply(&mut records, seconds, &challenge());
    assert_eq!(
        place(&records.session),
        "challenge",
        "opened after {seconds} s"
    );
    records
}

/// Applies a PSP result for the newest operation.
fn apply(records: &mut SessionRecords, seconds: i64, result: &PspResult) {
    let operation = records.newest();
    apply_to(records, operation, seconds, result);
}

fn apply_to(
    records: &mut SessionRecords,
    operation: OperationId,
    seconds: i64,
    result: &PspResult,
) {
    let psp_update = records.psp_update(operation, result, false);
    let input = Input::PspUpdate(Box::new(psp_update));
    records.decide(&input, at(seconds)).unwrap().unwrap();
}

fn deadline(records: &mut SessionRecords, seconds: i64) {
    let operation = records.next_id();
    let input = Input::Deadline { operation };
    records.decide(&input, at(seconds)).unwrap().unwrap();
}

fn abandon(records: &mut SessionRecords, seconds: i64) {
    let operation = records.next_id();
    let input = Input::Abandon { operation };
    records.decide(&input, at(seconds)).unwrap().unwrap();
}

/// The next step of a session that allows another try.
fn last_try(session: &Session) -> Option<bool> {
    match session.next(at(0)) {
        NextAction::Retry { last_try, .. } => Some(last_try),
        _ => None,
    }
}

#[test]
fn an_abandoned_challenge_does_not_count_as_an_attempt() {
    let mut records = SessionRecords::new(None);
    for number in 1..=5 {
        records = records
            .paying()
            .with_result(&challenge())
            .abandoning()
            .with_result(&done());
        assert_eq!(
            records.session.counted_attempts(),
            0,
            "after {number} challenges"
        );
        assert_eq!(records.session.challenges, number);
        let retry = NextAction::Retry {
            reason: RetryReason::AuthenticationFailed,
            last_try: false,
        };
        assert_eq!(records.session.next(at(0)), retry);
    }
    let records = records.paying().with_result(&refused());
    assert_eq!(
        records.session.counted_attempts(),
        1,
        "a refused attempt counts"
    );
}

#[test]
fn a_challenge_that_ends_after_ten_minutes_does_not_count_as_an_attempt() {
    let mut records = opened(LIFETIME, 0);
    deadline(&mut records, 600);
    apply(&mut records, 601, &done());
    assert_eq!(
        records.session.failure(),
        Some(FailureCode::AuthenticationAbandoned)
    );
    assert_eq!(records.session.counted_attempts(), 0);
    assert!(records.session.retry_until(at(601)).is_some());
}

/// The issuer's refusal counts, even if it is reported only while the challenge is cancelled.
#[test]
fn a_challenge_that_the_shopper_failed_counts_as_an_attempt() {
    let mut records = opened(LIFETIME, 0);
    let attempt = records.newest();
    abandon(&mut records, 1);
    apply_to(&mut records, attempt, 2, &refused());
    apply(&mut records, 3, &done());
    assert_eq!(records.session.failure(), Some(FailureCode::CardDeclined));
    assert_eq!(records.session.counted_attempts(), 1);
}

#[test]
fn the_tenth_challenge_is_the_last() {
    let mut records = SessionRecords::new(None);
    for _ in 0..9 {
        records = records
            .paying()
            .with_result(&challenge())
            .abandoning()
            .with_result(&done());
    }
    assert_eq!(last_try(&records.session), Some(true));
    let records = records
        .paying()
        .with_result(&challenge())
        .abandoning()
        .with_result(&done());
    assert_eq!(
        (
            records.session.counted_attempts(),
            records.session.challenges
        ),
        (0, 10)
    );
    assert_eq!(place(&records.session), "refused-final");
    assert_eq!(records.session.next(at(0)), NextAction::None);
}

#[test]
fn the_last_try_is_announced() {
    let records = SessionRecords::new(None).paying().with_result(&refused());
    assert_eq!(
        last_try(&records.session),
        Some(false),
        "two attempts are left"
    );
    let records = records.paying().with_result(&refused());
    assert_eq!(
        last_try(&records.session),
        Some(true),
        "one attempt is left"
    );
    let records = records.paying().with_result(&PspResult::NotSent);
    assert_eq!(
        last_try(&records.session),
        Some(true),
        "the last attempt was not sent"
    );
    let records = records.paying().with_result(&refused());
    assert_eq!(last_try(&records.session), None, "no attempt is left");
}

/// Ten minutes after it was opened; at the latest ten minutes, or one lifetime, after `expires_at`.
#[test]
fn an_open_challenge_times_out() {
    for (lifetime, seconds, ends) in [
        (LIFETIME, 0, 600),
        (LIFETIME, 1500, 2100),
        (LIFETIME, LIFETIME - 1, LIFETIME + 599),
        (600, 599, 1199),
        (60, 0, 120),
        (60, 59, 120),
        (10, 5, 20),
    ] {
        let mut records = opened(lifetime, seconds);
        let case = format!("lifetime {lifetime} s, opened after {seconds} s");
        assert_eq!(records.session.due_at(), Some(at(ends)), "{case}");
        let operation = records.next_id();
        let input = Input::Deadline { operation };
        assert_eq!(cell(&records, &input, ends - 1), ".", "{case}");
        deadline(&mut records, ends);
        let ended = if ends < lifetime {
            "ending"
        } else {
            "x-ending"
        };
        assert_eq!(place(&records.session), ended, "{case}");
        // A challenge that is cancelled before the expiry is processed again at its time-out.
        let due = (ends < lifetime).then(|| at(lifetime));
        assert_eq!(records.session.due_at(), due, "{case}");
    }
}

#[test]
fn a_challenge_may_finish_after_the_expiry() {
    let open = || opened(LIFETIME, LIFETIME - 60);
    for (result, wanted) in [(done(), "authorized"), (refused(), "expired")] {
        let mut records = open();
        apply(&mut records, LIFETIME + 300, &result);
        assert_eq!(place(&records.session), wanted, "{result:?}");
    }
    let mut records = open();
    abandon(&mut records, LIFETIME + 300);
    assert_eq!(place(&records.session), "x-ending");
    apply(&mut records, LIFETIME + 301, &done());
    assert_eq!(
        place(&records.session),
        "expired",
        "no other card can be used"
    );
}

/// A payment that the PSP processes after the challenge may finish as well.
#[test]
fn processing_after_a_challenge_may_finish_after_the_expiry() {
    let mut records = opened(LIFETIME, LIFETIME - 60);
    apply(&mut records, LIFETIME + 300, &accepted());
    assert_eq!(place(&records.session), "accepted");
    assert_eq!(records.session.due_at(), Some(at(LIFETIME + 540)));
    // The same challenge reported again: neither counted twice nor extended.
    apply(&mut records, LIFETIME + 301, &challenge());
    assert_eq!(
        (place(&records.session).as_str(), records.session.challenges),
        ("challenge", 1)
    );
    assert_eq!(since(&records.session), Some(at(LIFETIME - 60)));
    apply(&mut records, LIFETIME + 302, &accepted());
    deadline(&mut records, LIFETIME + 540);
    assert_eq!(place(&records.session), "x-ending");

    let mut early = opened(LIFETIME, 0);
    apply(&mut early, 60, &accepted());
    assert_eq!(
        early.session.due_at(),
        Some(at(LIFETIME)),
        "the time-out of a payment in process"
    );
}

#[test]
fn a_challenge_is_not_opened_after_the_expiry() {
    let mut asking = SessionRecords::new(None).paying();
    apply(&mut asking, LIFETIME, &challenge());
    assert_eq!(
        place(&asking.session),
        "x-ending",
        "before the worker has processed the expiry"
    );
    assert_eq!(asking.session.due_at(), None);
    let mut processed = SessionRecords::new(None).paying().with_result(&accepted());
    apply(&mut processed, LIFETIME, &challenge());
    assert_eq!(place(&processed.session), "x-ending");
}

/// A refusal at the expiry or later ends as `expired`, whether or not the worker ran before.
#[test]
fn nothing_held_after_the_expiry_is_expired() {
    for result in [refused(), PspResult::NotSent] {
        let mut records = SessionRecords::new(None).paying();
        apply(&mut records, LIFETIME, &result);
        assert_eq!(place(&records.session), "expired", "{result:?}");
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
