//! Generates sessions, operations and refunds, including extreme valid values.

use std::collections::BTreeMap;

use oncharge_domain::{
    card::Card,
    currency::Currency,
    id::{Id, OperationId},
    merchant::Merchant,
    money::{MAX_MINOR, Money},
    operation::{CancelPurpose, CompensationMethod, Contradiction, OperationKind, SendState},
    psp::{Challenge, PspReference, RefusalReason, TokenFingerprint},
    session::{
        Accepted, Attempt, AttemptCancel, AttemptOutcome, Authorized, Cancelled, CaptureFailed,
        Captured, Failure, FailureCode, InFlight, InFlightKind, MAX_LISTED_ATTEMPTS, NewSession,
        OpenChallenge, OutcomeDuringCancel, Payment, Pending, PlannedCapture, Refunds, Session,
        Status, Step, Unpaid,
    },
    text::{Contact, Email, Metadata, OrderId, Phone, Reference, ReturnUrl},
    time::Timestamp,
};
use oncharge_testkit::{Builder, build::account};
use proptest::{
    collection::{btree_map, vec},
    option,
    prelude::*,
    sample::select,
    strategy::ValueTree,
    test_runner::TestRunner,
};

/// Draws values, deterministically: the same ones in each run.
pub(crate) struct Draw(TestRunner);

impl Draw {
    pub(crate) fn new() -> Self {
        Self(TestRunner::deterministic())
    }

    pub(crate) fn one<T>(&mut self, strategy: impl Strategy<Value = T>) -> T {
        strategy.new_tree(&mut self.0).unwrap().current()
    }
}

/// Valid reference texts up to this many characters, including hostile ones.
pub(crate) fn text(most: usize) -> BoxedStrategy<String> {
    let nasty = vec![
        "'; DROP TABLE sessions; --".to_owned(),
        "\"{}\\u0000\\".to_owned(),
        "נסיון cba ניסיון".to_owned(),
        "𝄞".repeat(most),
        "x".repeat(most),
        " x ".to_owned(),
        "%_$1?:x".to_owned(),
    ];
    let nasty = nasty
        .into_iter()
        .map(move |text| text.chars().take(most).collect())
        .collect::<Vec<String>>();
    prop_oneof![select(nasty), "\\PC{1,40}"]
        .prop_filter("is no reference", |text| Reference::parse(text).is_ok())
        .boxed()
}

/// Timestamps to the microsecond, including the limits of the valid range.
pub(crate) fn instant() -> BoxedStrategy<Timestamp> {
    // 1970, and the last microsecond of the year 9999.
    let ends = vec![0, 1, 999_999, 253_402_300_799_999_999];
    let micros = prop_oneof![
        select(ends),
        1_700_000_000_000_000_i64..4_000_000_000_000_000
    ];
    micros
        .prop_map(|micros| Timestamp::from_unix_micros(micros).unwrap())
        .boxed()
}

pub(crate) fn psp_reference() -> BoxedStrategy<PspReference> {
    let text = prop_oneof![Just("~".repeat(255)), "[!-~]{1,40}"];
    text.prop_map(|text| PspReference::parse(&text).unwrap())
        .boxed()
}

/// An arbitrary operation id.
pub(crate) fn operation_id() -> BoxedStrategy<OperationId> {
    (instant(), any::<[u8; 10]>())
        .prop_map(|(at, random)| Id::from_parts(at, random))
        .boxed()
}

pub(crate) fn reason() -> BoxedStrategy<RefusalReason> {
    let known = [
        "card_declined",
        "insufficient_funds",
        "expired_card",
        "authentication_failed",
        "authorization_expired",
        "already_captured",
        "nothing_held",
        "never_sent",
    ];
    let known = select(known.to_vec()).prop_map(str::to_owned);
    prop_oneof![known, "[!-~]{1,64}"]
        .prop_map(|text| RefusalReason::parse(&text))
        .boxed()
}

fn failure() -> BoxedStrategy<FailureCode> {
    select(FailureCode::ALL).boxed()
}

fn contact() -> BoxedStrategy<Contact> {
    let emails = [
        "a@example.com",
        "jürgen@bücher.example",
        "o'brien+x@example.co.uk",
    ];
    let email = option::of(select(emails.to_vec()));
    let phone = option::of(select(vec!["+15551234567", "+4915112345678"]));
    (email, phone)
        .prop_map(|(email, phone)| Contact {
            email: email.and_then(|text| Email::parse(text).ok()),
            phone: phone.and_then(|text| Phone::parse(text).ok()),
        })
        .boxed()
}

fn metadata() -> BoxedStrategy<Metadata> {
    let value = prop_oneof![
        text(500),
        Just(String::new()),
        Just("line\nline\ttab".to_owned())
    ];
    let full: BTreeMap<String, String> = (0..50)
        .map(|number| (format!("k{number:039}"), "ü".repeat(500)))
        .collect();
    let pairs = prop_oneof![8 => btree_map(text(40), value, 0..6), 1 => Just(full)];
    pairs
        .prop_map(|pairs| Metadata::new(pairs).unwrap())
        .boxed()
}

/// A new session of this merchant.
pub(crate) fn session(draw: &mut Draw, build: &Builder, merchant: &Merchant) -> Session {
    let codes = ["EUR", "JPY", "KWD", "USD"];
    let amount = draw.one(prop_oneof![Just(1), Just(MAX_MINOR), 1..=MAX_MINOR]);
    let currency = Currency::parse(draw.one(select(codes.to_vec())));
    let long = format!("https://shop.example.com/{}", "a".repeat(2023));
    let urls = vec![long, "https://shop.example.com/?q=%20'\"&x=ü".to_owned()];
    let delay = prop_oneof![Just(0_u32), Just(i32::MAX.unsigned_abs()), 1..1_000_000_u32];
    Session::create(NewSession {
        id: build.id(),
        merchant: merchant.id,
        account: account(),
        amount: Money::new(amount, currency.unwrap()).unwrap(),
        reference: Reference::parse(&draw.one(text(255))).unwrap(),
        order_id: draw
            .one(option::of(text(255)))
            .map(|t| OrderId::parse(&t).unwrap()),
        return_url: ReturnUrl::parse(&draw.one(select(urls)), false).unwrap(),
        metadata: draw.one(metadata()),
        contact: draw.one(contact()),
        automatic_capture: draw.one(option::of(delay)),
        created_at: draw.one(instant()),
        lifetime_seconds: draw.one(1..=86_400_i64),
    })
}

/// The session in an arbitrary later state: any status, any counters.
pub(crate) fn later(draw: &mut Draw, session: &Session) -> Session {
    Session {
        version: session.version + 1,
        updated_at: draw.one(instant()),
        attempts: attempts(draw),
        challenges: draw.one(0..=10_u32),
        next_sequence: draw.one(prop_oneof![Just(1_u32), 1..1000_u32]),
        status: status(draw, session.amount),
        ..session.clone()
    }
}

/// Arbitrary attempts: counted or not, with and without a card.
fn attempts(draw: &mut Draw) -> Vec<Attempt> {
    let number = draw.one(prop_oneof![4 => 0..=3_usize, 1 => Just(MAX_LISTED_ATTEMPTS)]);
    (0..number).map(|_| attempt(draw)).collect()
}

fn attempt(draw: &mut Draw) -> Attempt {
    let failure = draw.one(failure());
    let outcomes = vec![
        AttemptOutcome::Pending,
        AttemptOutcome::Authorized,
        AttemptOutcome::Refused(failure),
        AttemptOutcome::Error(failure),
        AttemptOutcome::Expired,
        AttemptOutcome::Cancelled,
    ];
    let brand = draw.one(option::of(select(vec!["visa", "American Express"])));
    let last4 = draw.one(option::of(select(vec!["4242", "0005"])));
    Attempt {
        id: draw.one(operation_id()),
        outcome: draw.one(select(outcomes)),
        counts: draw.one(any::<bool>()),
        card: Card::new(brand, last4),
        reference: draw.one(option::of(psp_reference())),
        created_at: draw.one(instant()),
    }
}

/// An arbitrary status of a session over this amount.
fn status(draw: &mut Draw, amount: Money) -> Status {
    let payment = Payment {
        attempt: draw.one(operation_id()),
        reference: draw.one(psp_reference()),
        authorized: amount,
    };
    let part = draw.one(1..=amount.minor());
    let captured = Money::new(part, amount.currency()).unwrap();
    let first = draw.one(0..=part);
    let second = draw.one(0..=part - first);
    let refunds = Refunds {
        requested: Money::new(first, amount.currency()).unwrap(),
        succeeded: Money::new(second, amount.currency()).unwrap(),
    };
    let unpaid = Unpaid {
        failure: draw.one(failure()),
        retry: draw.one(any::<bool>()),
    };
    match draw.one(0..10_u32) {
        0 => Status::Created,
        1 | 2 => Status::Pending(Pending {
            attempt: payment.attempt,
            step: step(draw),
            expiring: draw.one(any::<bool>()),
        }),
        3 | 4 => Status::Authorized(authorized(draw, payment)),
        5 => Status::Captured(Captured {
            payment,
            capture: draw.one(operation_id()),
            captured,
            refunds,
        }),
        6 => Status::Cancelled(Cancelled {
            payment,
            failure: draw.one(option::of(failure())),
        }),
        7 => Status::Refused(unpaid),
        8 => Status::Error(unpaid),
        _ if draw.one(any::<bool>()) => Status::CaptureFailed(CaptureFailed { payment, refunds }),
        _ => Status::Expired,
    }
}

fn step(draw: &mut Draw) -> Step {
    let reference = draw.one(psp_reference());
    match draw.one(0..5_u32) {
        0 => Step::AwaitingResult,
        1 => Step::Accepted(Accepted {
            reference,
            challenge_since: draw.one(option::of(instant())),
        }),
        2 => Step::Challenge(OpenChallenge {
            challenge: Challenge {
                reference,
                url: draw.one(text(300)),
            },
            since: draw.one(instant()),
        }),
        _ => Step::Cancelling(AttemptCancel {
            by: draw.one(operation_id()),
            reference,
            outcome: draw.one(option::of(outcome())),
        }),
    }
}

fn outcome() -> BoxedStrategy<OutcomeDuringCancel> {
    let authorized = (psp_reference(), any::<bool>()).prop_map(|(reference, captured)| {
        OutcomeDuringCancel::Authorized {
            reference,
            captured,
        }
    });
    prop_oneof![authorized, reason().prop_map(OutcomeDuringCancel::Refused)].boxed()
}

fn authorized(draw: &mut Draw, payment: Payment) -> Authorized {
    let kind = select(vec![InFlightKind::Capture, InFlightKind::Cancel]);
    let flight = (operation_id(), kind).prop_map(|(operation, kind)| InFlight { operation, kind });
    let (currency, most) = (payment.authorized.currency(), payment.authorized.minor());
    let planned =
        (instant(), prop_oneof![Just(most), 1..=most.max(1)]).prop_map(move |(due, minor)| {
            let amount = Money::new(minor, currency).unwrap();
            PlannedCapture { due, amount }
        });
    Authorized {
        payment,
        planned_capture: draw.one(option::of(planned)),
        in_flight: draw.one(option::of(flight)),
        lapsed: draw.one(option::of(failure())),
    }
}

/// An arbitrary kind of operation except a refund, which needs its refund.
pub(crate) fn kind(draw: &mut Draw) -> OperationKind {
    match draw.one(0..4_u32) {
        0 => OperationKind::Authorize {
            token: TokenFingerprint::from_bytes(draw.one(any::<[u8; 32]>())),
            capture: draw.one(any::<bool>()),
        },
        1 => OperationKind::Capture {
            automatic: draw.one(any::<bool>()),
        },
        2 => OperationKind::Cancel(draw.one(select(vec![
            CancelPurpose::Merchant,
            CancelPurpose::Abandon,
            CancelPurpose::Expiry,
        ]))),
        _ => OperationKind::Compensation {
            of: draw.one(operation_id()),
            by: draw.one(select(vec![
                CompensationMethod::Void,
                CompensationMethod::Refund,
            ])),
            round: draw.one(prop_oneof![Just(0), Just(i32::MAX.unsigned_abs())]),
        },
    }
}

/// An optional failure of an event's payment or refund.
pub(crate) fn event_failure() -> BoxedStrategy<Option<Failure>> {
    let reason = option::of(reason());
    option::of((failure(), reason).prop_map(|(code, reason)| Failure { code, reason })).boxed()
}

/// An optional contradiction of a failed operation.
pub(crate) fn contradiction() -> BoxedStrategy<Option<Contradiction>> {
    option::of(select(vec![
        Contradiction::Listed,
        Contradiction::Dismissed,
    ]))
    .boxed()
}

/// An arbitrary send state.
pub(crate) fn sending() -> BoxedStrategy<SendState> {
    select(vec![
        SendState::Intended,
        SendState::NotSent,
        SendState::Unknown,
        SendState::Mismatched,
        SendState::Accepted,
    ])
    .boxed()
}

/// Arbitrary bytes, including none and every byte value.
pub(crate) fn bytes() -> BoxedStrategy<Vec<u8>> {
    let every: Vec<u8> = (0..=255).collect();
    prop_oneof![Just(Vec::new()), Just(every), vec(any::<u8>(), 1..5000)].boxed()
}
