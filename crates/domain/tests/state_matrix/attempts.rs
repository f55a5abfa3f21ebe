//! What a session lists of its attempts, and which of them an event carries.

use oncharge_domain::{
    card::Card,
    psp::Word,
    session::{
        Attempt, AttemptOutcome, Event, FailureCode, Input, MAX_LISTED_ATTEMPTS, StatusName,
    },
};

use crate::{
    book::{Book, LIFETIME, at},
    rows::{accepted, challenge, done, refused},
};

fn card(last4: &str) -> Option<Card> {
    Card::new(Some("visa"), Some(last4))
}

/// Applies a PSP result for the newest operation, with the card that the PSP reports.
fn report(book: &mut Book, seconds: i64, result: &Word, card: Option<Card>) -> Vec<Event> {
    let mut heard = book.heard(book.newest(), result, false);
    heard.card = card;
    let input = Input::Heard(Box::new(heard));
    book.decide(&input, at(seconds)).unwrap().unwrap().events
}

fn outcomes(book: &Book) -> Vec<AttemptOutcome> {
    let attempts = book.session.attempts.iter();
    attempts.map(|attempt| attempt.outcome).collect()
}

#[test]
fn each_attempt_is_listed_with_its_outcome_and_its_card() {
    let mut book = Book::new(None).paying();
    assert_eq!(outcomes(&book), [AttemptOutcome::Pending]);
    report(&mut book, 1, &refused(), card("0002"));
    book = book.paying();
    report(&mut book, 3, &challenge(), card("3155"));
    book = book.abandoning().told(&done()).paying();
    let events = report(&mut book, 5, &done(), card("4242"));
    let abandoned = AttemptOutcome::Refused(FailureCode::AuthenticationAbandoned);
    let expected = [
        AttemptOutcome::Refused(FailureCode::CardDeclined),
        abandoned,
        AttemptOutcome::Authorized,
    ];
    assert_eq!(outcomes(&book), expected);
    let cards = book.session.attempts.iter().map(|one| one.card.clone());
    let expected: Vec<_> = ["0002", "3155", "4242"].map(card).into();
    assert_eq!(cards.collect::<Vec<_>>(), expected);
    let kept = book.session.kept_attempt().cloned();
    assert_eq!(events.first().unwrap().attempt, kept);
    assert_eq!(book.session.attempts.last().cloned(), kept);
}

#[test]
fn the_first_report_of_a_card_is_kept() {
    let mut book = Book::new(None).paying();
    report(&mut book, 1, &accepted(), None);
    assert_eq!(book.session.attempts.first().unwrap().card, None);
    report(&mut book, 2, &done(), card("4242"));
    let version = book.session.version;
    report(&mut book, 3, &done(), card("0005"));
    assert_eq!(book.session.version, version, "nothing changed");
    assert_eq!(book.session.attempts.first().unwrap().card, card("4242"));
}

#[test]
fn a_card_that_is_reported_late_is_added() {
    let mut book = Book::new(None).paying().told(&done());
    assert_eq!(report(&mut book, 3, &done(), card("4242")), []);
    let kept = book.session.kept_attempt().unwrap();
    assert_eq!(kept.card, card("4242"));
}

#[test]
fn an_event_about_no_attempt_carries_none() {
    let mut book = Book::new(None).paying().told(&refused());
    let input = Input::Expire;
    let decision = book.decide(&input, at(2)).unwrap().unwrap();
    let event = decision.events.first().unwrap();
    assert_eq!((event.status, &event.attempt), (StatusName::Expired, &None));
}

#[test]
fn money_that_came_too_late_makes_its_attempt_cancelled() {
    let mut book = Book::new(None).paying();
    let events = report(&mut book, LIFETIME + 901, &done(), card("4242"));
    assert_eq!(outcomes(&book), [AttemptOutcome::Cancelled]);
    let event = events.first().unwrap();
    assert_eq!(event.status, StatusName::Expired);
    assert_eq!(event.attempt, book.session.attempts.first().cloned());
}

/// While the PSP cannot be reached, a shopper can try as often as the rate limit allows.
#[test]
fn attempts_that_were_never_sent_do_not_let_the_list_grow() {
    let mut book = Book::new(None).paying().told(&refused());
    for _ in 0..MAX_LISTED_ATTEMPTS + 5 {
        book = book.paying().told(&Word::NotSent);
    }
    let listed = &book.session.attempts;
    assert_eq!(listed.len(), MAX_LISTED_ATTEMPTS);
    let counted: Vec<&Attempt> = listed.iter().filter(|attempt| attempt.counts).collect();
    assert_eq!(counted, [listed.first().unwrap()], "the refusal stays");
    assert_eq!(book.session.counted_attempts(), 1);
}
