//! The attempts that a session lists, and the attempt that an event carries.

use oncharge_domain::{
    card::Card,
    psp::PspResult,
    session::{
        Attempt, AttemptOutcome, Event, FailureCode, Input, MAX_LISTED_ATTEMPTS, StatusName,
    },
};

use crate::{
    rows::{accepted, challenge, done, refused},
    session_records::{LIFETIME, SessionRecords, at},
};

fn card(last4: &str) -> Option<Card> {
    Card::new(Some("visa"), Some(last4))
}

/// Applies a PSP result for the newest operation, with the card that the PSP reports.
fn report(
    records: &mut SessionRecords,
    seconds: i64,
    result: &PspResult,
    card: Option<Card>,
) -> Vec<Event> {
    let mut psp_update = records.psp_update(records.newest(), result, false);
    psp_update.details.card = card;
    let input = Input::PspUpdate(Box::new(psp_update));
    records.decide(&input, at(seconds)).unwrap().unwrap().events
}

fn outcomes(records: &SessionRecords) -> Vec<AttemptOutcome> {
    let attempts = records.session.attempts.iter();
    attempts.map(|attempt| attempt.outcome).collect()
}

#[test]
fn each_attempt_is_listed_with_its_outcome_and_its_card() {
    let mut records = SessionRecords::new(None).paying();
    assert_eq!(outcomes(&records), [AttemptOutcome::Pending]);
    report(&mut records, 1, &refused(), card("0002"));
    records = records.paying();
    report(&mut records, 3, &challenge(), card("3155"));
    records = records.abandoning().with_result(&done()).paying();
    let events = report(&mut records, 5, &done(), card("4242"));
    let abandoned = AttemptOutcome::Refused(FailureCode::AuthenticationAbandoned);
    let expected = [
        AttemptOutcome::Refused(FailureCode::CardDeclined),
        abandoned,
        AttemptOutcome::Authorized,
    ];
    assert_eq!(outcomes(&records), expected);
    let cards = records.session.attempts.iter().map(|one| one.card.clone());
    let expected: Vec<_> = ["0002", "3155", "4242"].map(card).into();
    assert_eq!(cards.collect::<Vec<_>>(), expected);
    let kept = records.session.kept_attempt().cloned();
    assert_eq!(events.first().unwrap().attempt, kept);
    assert_eq!(records.session.attempts.last().cloned(), kept);
}

#[test]
fn the_first_report_of_a_card_is_kept() {
    let mut records = SessionRecords::new(None).paying();
    report(&mut records, 1, &accepted(), None);
    assert_eq!(records.session.attempts.first().unwrap().card, None);
    report(&mut records, 2, &done(), card("4242"));
    let version = records.session.version;
    report(&mut records, 3, &done(), card("0005"));
    assert_eq!(records.session.version, version, "nothing changed");
    assert_eq!(records.session.attempts.first().unwrap().card, card("4242"));
}

#[test]
fn a_card_that_is_reported_late_is_added() {
    let mut records = SessionRecords::new(None).paying().with_result(&done());
    assert_eq!(report(&mut records, 3, &done(), card("4242")), []);
    let kept = records.session.kept_attempt().unwrap();
    assert_eq!(kept.card, card("4242"));
}

#[test]
fn an_event_about_no_attempt_carries_none() {
    let mut records = SessionRecords::new(None).paying().with_result(&refused());
    let input = Input::Expire;
    let decision = records.decide(&input, at(2)).unwrap().unwrap();
    let event = decision.events.first().unwrap();
    assert_eq!((event.status, &event.attempt), (StatusName::Expired, &None));
}

#[test]
fn money_that_came_too_late_makes_its_attempt_cancelled() {
    let mut records = SessionRecords::new(None).paying();
    let events = report(&mut records, LIFETIME + 901, &done(), card("4242"));
    assert_eq!(outcomes(&records), [AttemptOutcome::Cancelled]);
    let event = events.first().unwrap();
    assert_eq!(event.status, StatusName::Expired);
    assert_eq!(event.attempt, records.session.attempts.first().cloned());
}

/// While the PSP is unreachable, a shopper can try as often as the rate limit allows.
#[test]
fn attempts_that_were_never_sent_do_not_let_the_list_grow() {
    let mut records = SessionRecords::new(None).paying().with_result(&refused());
    for _ in 0..MAX_LISTED_ATTEMPTS + 5 {
        records = records.paying().with_result(&PspResult::NotSent);
    }
    let listed = &records.session.attempts;
    assert_eq!(listed.len(), MAX_LISTED_ATTEMPTS);
    let counted: Vec<&Attempt> = listed.iter().filter(|attempt| attempt.counts).collect();
    assert_eq!(
        counted,
        [listed.first().unwrap()],
        "the refused attempt is still listed"
    );
    assert_eq!(records.session.counted_attempts(), 1);
}
