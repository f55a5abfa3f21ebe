//! Invariants of a payment over long random histories of commands, deadlines, waits, and PSP
//! results that are repeated, late, reordered or wrong.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

#[path = "support/session_records.rs"]
mod session_records;

use oncharge_domain::{
    id::OperationId,
    operation::OperationKind,
    psp::{Challenge, PspResponse, PspResult, RefusalReason, TokenFingerprint},
    session::{Input, Status},
};
use proptest::{collection::vec, prelude::*, sample::select};
use session_records::{SessionRecords, at, reference};

/// A step; numbers are taken modulo the number of existing items.
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
    PspResult {
        operation: usize,
        result: PspResult,
        waiting: bool,
    },
    /// An earlier PSP result, repeated.
    Repeat(usize),
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

fn result() -> impl Strategy<Value = PspResult> {
    let response = prop_oneof![
        4 => any::<bool>().prop_map(|captured| PspResponse::Done {
            reference: reference("psp_1"),
            captured,
        }),
        2 => Just(PspResponse::Accepted { reference: reference("psp_1") }),
        2 => Just(PspResponse::ActionRequired(Challenge {
            reference: reference("psp_1"),
            url: "https://psp.example.com/challenge".to_owned(),
        })),
        3 => reason().prop_map(PspResponse::Refused),
    ];
    prop_oneof![
        8 => response.prop_map(PspResult::Response),
        4 => Just(PspResult::NotSent),
        1 => Just(PspResult::Unknown),
        1 => Just(PspResult::NotFound),
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
        9 => (any::<usize>(), result(), any::<bool>())
            .prop_map(|(operation, result, waiting)| Step::PspResult { operation, result, waiting }),
        3 => any::<usize>().prop_map(Step::Repeat),
    ]
}

/// The session's records, the time, and the PSP results so far.
struct History {
    records: SessionRecords,
    seconds: i64,
    results: Vec<(OperationId, PspResult)>,
    attempts: usize,
}

impl History {
    fn input(&mut self, step: &Step) -> Option<Input> {
        let operation = self.records.next_id();
        Some(match step {
            Step::Pay(banned) => {
                self.attempts += 1;
                let token = TokenFingerprint::of(&format!("tok_{}", self.attempts));
                Input::Pay {
                    operation,
                    token,
                    banned: *banned,
                }
            }
            Step::Abandon => Input::Abandon { operation },
            Step::Capture(amount) => self.records.capture(*amount),
            Step::Cancel => self.records.cancel(),
            Step::Expire => Input::Expire,
            Step::Refund(minor) => self.records.refund(*minor),
            Step::Deadline => Input::Deadline { operation },
            Step::Wait(seconds) => {
                self.seconds += seconds;
                return None;
            }
            Step::PspResult {
                operation,
                result,
                waiting,
            } => {
                let known: Vec<OperationId> = self.records.operations.keys().copied().collect();
                // Mostly the newest ones.
                let back = operation % known.len().max(1) / 2;
                let id = *known.get(known.len().checked_sub(back + 1)?)?;
                let result = fit_to_kind(&self.records.operations[&id].kind, result.clone());
                self.results.push((id, result.clone()));
                Input::PspUpdate(Box::new(self.records.psp_update(id, &result, *waiting)))
            }
            Step::Repeat(number) => {
                let (id, result) = self
                    .results
                    .get(number % self.results.len().max(1))?
                    .clone();
                Input::PspUpdate(Box::new(self.records.psp_update(id, &result, false)))
            }
        })
    }
}

/// Only authorizations are challenged or captured at once.
fn fit_to_kind(kind: &OperationKind, result: PspResult) -> PspResult {
    if matches!(kind, OperationKind::Authorize { .. }) {
        return result;
    }
    match result {
        PspResult::Response(PspResponse::ActionRequired(challenge)) => {
            PspResult::Response(PspResponse::Accepted {
                reference: challenge.reference,
            })
        }
        PspResult::Response(PspResponse::Done { reference, .. }) => {
            PspResult::Response(PspResponse::Done {
                reference,
                captured: false,
            })
        }
        other => other,
    }
}

fn automatic() -> impl Strategy<Value = Option<u32>> {
    select(vec![None, Some(0), Some(60)])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.max(1500), failure_persistence: None, ..ProptestConfig::default() })]

    /// `SessionRecords` checks each decision: order of amounts, one operation in flight, final
    /// statuses, events emitted once and numbered without gaps, and a status that survives storage.
    #[test]
    fn random_histories_keep_the_invariants(automatic in automatic(), steps in vec(step(), 1..60)) {
        let records = SessionRecords::new(automatic);
        let mut history = History { records, seconds: 0, results: Vec::new(), attempts: 0 };
        for (number, step) in steps.iter().enumerate() {
            if let Some(input) = history.input(step)
                && let Err(broken) = history.records.decide(&input, at(history.seconds))
            {
                prop_assert!(false, "step {number}: {broken}");
            }
        }
    }

    /// A decision depends only on session, input and time.
    #[test]
    fn decisions_are_deterministic(automatic in automatic(), steps in vec(step(), 1..30)) {
        let records = SessionRecords::new(automatic);
        let mut history = History { records, seconds: 0, results: Vec::new(), attempts: 0 };
        for step in &steps {
            let Some(input) = history.input(step) else { continue };
            let (session, now) = (history.records.session.clone(), at(history.seconds));
            prop_assert_eq!(session.decide(input.clone(), now), session.decide(input.clone(), now));
            let _ = history.records.decide(&input, now);
        }
    }
}

/// The histories reach the states that they are meant to test; otherwise the laws above would hold
/// trivially.
#[test]
fn random_histories_reach_every_status() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut reached = std::collections::BTreeMap::new();
    for _ in 0..600 {
        use proptest::strategy::ValueTree;
        let histories = (automatic(), vec(step(), 1..60));
        let (automatic, steps) = histories.new_tree(&mut runner).unwrap().current();
        let records = SessionRecords::new(automatic);
        let mut history = History {
            records,
            seconds: 0,
            results: Vec::new(),
            attempts: 0,
        };
        for step in &steps {
            if let Some(input) = history.input(step) {
                let _ = history.records.decide(&input, at(history.seconds));
            }
            let session = &history.records.session;
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
            for operation in history.records.operations.values() {
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
