//! The invariants of a payment over long random histories: commands, words of the PSP that are
//! repeated, late, reordered or plainly wrong, deadlines, and time that passes between them.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

#[path = "support/book.rs"]
mod book;

use book::{Book, at, reference};
use oncharge_domain::{
    id::OperationId,
    operation::OperationKind,
    psp::{Answer, Challenge, RefusalReason, TokenFingerprint, Word},
    session::{Input, Status},
};
use proptest::{collection::vec, prelude::*, sample::select};

/// One thing that happens; numbers are taken modulo what there is.
#[derive(Clone, Debug)]
enum Step {
    Pay(bool),
    Abandon,
    Capture(Option<i64>),
    Cancel,
    Expire,
    Refund(i64),
    Deadline,
    Wait(i64),
    Word {
        operation: usize,
        word: Word,
        waiting: bool,
    },
    /// A word that was heard before, once more.
    Again(usize),
}

fn reason() -> impl Strategy<Value = RefusalReason> {
    select(vec![
        RefusalReason::CardDeclined,
        RefusalReason::AuthenticationFailed,
        RefusalReason::AuthorizationExpired,
        RefusalReason::AlreadyCaptured,
        RefusalReason::NothingHeld,
        RefusalReason::Other("odd".to_owned()),
    ])
}

fn word() -> impl Strategy<Value = Word> {
    let answer = prop_oneof![
        4 => any::<bool>().prop_map(|captured| Answer::Done {
            reference: reference("psp_1"),
            captured,
        }),
        2 => Just(Answer::Accepted { reference: reference("psp_1") }),
        2 => Just(Answer::ActionRequired(Challenge {
            reference: reference("psp_1"),
            url: "https://psp.example.com/challenge".to_owned(),
        })),
        3 => reason().prop_map(Answer::Refused),
    ];
    prop_oneof![
        8 => answer.prop_map(Word::Answer),
        4 => Just(Word::NotSent),
        1 => Just(Word::Unknown),
        1 => Just(Word::NotFound),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..20_u8).prop_map(|die| Step::Pay(die == 0)),
        1 => Just(Step::Abandon),
        2 => proptest::option::of(-1..=120_i64).prop_map(Step::Capture),
        1 => Just(Step::Cancel),
        1 => (0..30_u8).prop_map(|die| if die == 0 { Step::Expire } else { Step::Deadline }),
        3 => (0..=60_i64).prop_map(Step::Refund),
        4 => Just(Step::Deadline),
        2 => select(vec![1, 30, 61, 601, 1500, 1800]).prop_map(Step::Wait),
        9 => (any::<usize>(), word(), any::<bool>())
            .prop_map(|(operation, word, waiting)| Step::Word { operation, word, waiting }),
        3 => any::<usize>().prop_map(Step::Again),
    ]
}

/// Words heard so far, with the time and the book.
struct History {
    book: Book,
    seconds: i64,
    heard: Vec<(OperationId, Word)>,
    tries: usize,
}

impl History {
    fn input(&mut self, step: &Step) -> Option<Input> {
        let operation = self.book.next_id();
        Some(match step {
            Step::Pay(banned) => {
                self.tries += 1;
                let token = TokenFingerprint::of(&format!("tok_{}", self.tries));
                Input::Pay {
                    operation,
                    token,
                    banned: *banned,
                }
            }
            Step::Abandon => Input::Abandon { operation },
            Step::Capture(amount) => self.book.capture(*amount),
            Step::Cancel => self.book.cancel(),
            Step::Expire => Input::Expire,
            Step::Refund(minor) => self.book.refund(*minor),
            Step::Deadline => Input::Deadline { operation },
            Step::Wait(seconds) => {
                self.seconds += seconds;
                return None;
            }
            Step::Word {
                operation,
                word,
                waiting,
            } => {
                let known: Vec<OperationId> = self.book.operations.keys().copied().collect();
                // Mostly the newest ones.
                let back = operation % known.len().max(1) / 2;
                let id = *known.get(known.len().checked_sub(back + 1)?)?;
                let word = fitting(&self.book.operations[&id].kind, word.clone());
                self.heard.push((id, word.clone()));
                Input::Heard(Box::new(self.book.heard(id, &word, *waiting)))
            }
            Step::Again(number) => {
                let (id, word) = self.heard.get(number % self.heard.len().max(1))?.clone();
                Input::Heard(Box::new(self.book.heard(id, &word, false)))
            }
        })
    }
}

/// Only authorisations are challenged or captured at once.
fn fitting(kind: &OperationKind, word: Word) -> Word {
    if matches!(kind, OperationKind::Authorize { .. }) {
        return word;
    }
    match word {
        Word::Answer(Answer::ActionRequired(challenge)) => Word::Answer(Answer::Accepted {
            reference: challenge.reference,
        }),
        Word::Answer(Answer::Done { reference, .. }) => Word::Answer(Answer::Done {
            reference,
            captured: false,
        }),
        other => other,
    }
}

fn automatic() -> impl Strategy<Value = Option<u32>> {
    select(vec![None, Some(0), Some(60)])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.max(1500), failure_persistence: None, ..ProptestConfig::default() })]

    /// `Book` checks each decision: amounts in order, one in flight, terminal statuses kept,
    /// events told once and numbered without gaps, a status that survives being stored.
    #[test]
    fn no_history_breaks_an_invariant(automatic in automatic(), steps in vec(step(), 1..60)) {
        let book = Book::new(automatic);
        let mut history = History { book, seconds: 0, heard: Vec::new(), tries: 0 };
        for (number, step) in steps.iter().enumerate() {
            if let Some(input) = history.input(step)
                && let Err(broken) = history.book.decide(&input, at(history.seconds))
            {
                prop_assert!(false, "step {number}: {broken}");
            }
        }
    }

    /// What is decided depends on nothing but session, input and time.
    #[test]
    fn the_same_question_gets_the_same_answer(automatic in automatic(), steps in vec(step(), 1..30)) {
        let book = Book::new(automatic);
        let mut history = History { book, seconds: 0, heard: Vec::new(), tries: 0 };
        for step in &steps {
            let Some(input) = history.input(step) else { continue };
            let (session, now) = (history.book.session.clone(), at(history.seconds));
            prop_assert_eq!(session.decide(input.clone(), now), session.decide(input.clone(), now));
            let _ = history.book.decide(&input, now);
        }
    }
}

/// The histories reach what they are meant to test: otherwise the laws above would hold idly.
#[test]
fn histories_reach_every_status() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut reached = std::collections::BTreeMap::new();
    for _ in 0..600 {
        use proptest::strategy::ValueTree;
        let histories = (automatic(), vec(step(), 1..60));
        let (automatic, steps) = histories.new_tree(&mut runner).unwrap().current();
        let book = Book::new(automatic);
        let mut history = History {
            book,
            seconds: 0,
            heard: Vec::new(),
            tries: 0,
        };
        for step in &steps {
            if let Some(input) = history.input(step) {
                let _ = history.book.decide(&input, at(history.seconds));
            }
            let session = &history.book.session;
            let mut name = session.status_name().name().to_owned();
            if matches!(session.status, Status::CaptureFailed(_)) {
                "capture_failed".clone_into(&mut name);
            }
            *reached.entry(name).or_insert(0_u32) += 1;
            if let Status::Authorized(authorized) = &session.status
                && let Some(planned) = authorized.planned_capture
                && planned.amount != authorized.payment.authorized
            {
                *reached.entry("a part is planned".to_owned()).or_insert(0) += 1;
            }
            for operation in history.book.operations.values() {
                let name = operation.kind.name();
                if operation.contradiction.is_some() {
                    *reached.entry("contradiction".to_owned()).or_insert(0) += 1;
                }
                let replaced = Some(RefusalReason::NeverSent) == operation.failure
                    && operation.kind == OperationKind::Capture { automatic: true };
                if replaced {
                    let name = "a replaced automatic capture";
                    *reached.entry(name.to_owned()).or_insert(0) += 1;
                }
                *reached
                    .entry(format!("{name} {:?}", operation.status))
                    .or_insert(0) += 1;
            }
        }
    }
    for name in [
        "authorized",
        "cancelled",
        "capture_failed",
        "captured",
        "created",
        "error",
        "expired",
        "pending",
        "refused",
        "refund Succeeded",
        "refund Failed",
        "compensation Succeeded",
        "compensation Failed",
        "a part is planned",
        "a replaced automatic capture",
        "contradiction",
    ] {
        let times = reached.get(name).copied().unwrap_or_default();
        assert!(times >= 20, "{name} was reached {times} times: {reached:?}");
    }
}
