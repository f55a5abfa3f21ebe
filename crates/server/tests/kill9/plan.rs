//! What will happen in a round, drawn from the seed: kills, breaks of the database's line, faults of
//! the PSP, moods of the merchants' servers, and how each shopper and merchant behave.

use std::time::Duration;

use serde_json::Value;

use crate::{behavior::Behavior, faults};

/// A generator of chances that gives the same ones for the same seed, on every machine
/// (`SplitMix64`).
#[derive(Debug, Clone)]
pub(crate) struct SeededRng(u64);

impl SeededRng {
    /// Dice of their own for each combination of numbers.
    pub(crate) fn from_numbers(numbers: &[u64]) -> Self {
        let mut rng = Self(0x9E37_79B9_7F4A_7C15);
        for number in numbers {
            rng.0 ^= number.wrapping_mul(0xD6E8_FEB8_6659_FD93);
            rng.0 = rng.next();
        }
        rng
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number from `min` to `max`.
    pub(crate) fn between(&mut self, min: u64, max: u64) -> u64 {
        min + self.next() % (max - min + 1)
    }

    /// As `between`, for an amount of money.
    pub(crate) fn amount(&mut self, min: i64, max: i64) -> i64 {
        let width = u64::try_from(max - min).unwrap();
        min + i64::try_from(self.between(0, width)).unwrap()
    }

    /// Whether something happens that happens so often in a hundred.
    pub(crate) fn chance(&mut self, percent: u64) -> bool {
        self.between(1, 100) <= percent
    }

    /// One of these.
    pub(crate) fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        let last = u64::try_from(of.len()).unwrap() - 1;
        &of[usize::try_from(self.between(0, last)).unwrap()]
    }

    /// A wait from `min` to `max` milliseconds.
    pub(crate) fn millis(&mut self, min: u64, max: u64) -> Duration {
        Duration::from_millis(self.between(min, max))
    }
}

/// How the line to the database breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LinkFault {
    /// All connections are closed, and new ones at once.
    Cut,
    /// What is said arrives, but no answer comes back: was it committed?
    Mute,
    /// Nobody listens: a connect is refused.
    Absent,
}

/// What happens to a node.
#[derive(Debug, Clone)]
pub(crate) enum Event {
    /// Killed; started again after a while; perhaps killed once more while it starts; perhaps
    /// started while its database is absent for a while.
    Kill {
        down: Duration,
        again: Option<Duration>,
        absent: Option<Duration>,
    },
    /// Its line to the database breaks for a while.
    LinkFault { kind: LinkFault, duration: Duration },
}

/// Who takes part in every round.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Participants {
    pub(crate) nodes: usize,
    pub(crate) merchants: usize,
    /// Whether nodes have a line to their database that can break.
    pub(crate) has_links: bool,
}

/// A round: everything that is decided beforehand.
#[derive(Debug, Clone)]
pub(crate) struct RoundPlan {
    pub(crate) seed: u64,
    pub(crate) round: u64,
    /// How long there is load.
    pub(crate) duration: Duration,
    /// How many shoppers are at it at any time.
    pub(crate) shoppers: u64,
    /// For each node: how long it is left alone, and then what happens.
    pub(crate) nodes: Vec<Vec<(Duration, Event)>>,
    /// How long each set of the PSP's faults stays.
    pub(crate) faults: Vec<(Duration, Value)>,
    /// For each merchant: how long each mood of its server stays.
    pub(crate) behaviors: Vec<Vec<(Duration, Behavior)>>,
}

impl RoundPlan {
    /// The plan of a round.
    pub(crate) fn new(seed: u64, round: u64, participants: &Participants) -> Self {
        let mut rng = SeededRng::from_numbers(&[seed, round]);
        let duration = rng.millis(4_500, 6_500);
        let timelines =
            (0..participants.nodes).map(|_| timeline(&mut rng, duration, participants.has_links));
        let nodes = timelines.collect();
        let behaviors = (0..participants.merchants).map(|merchant| {
            let merchant = u64::try_from(merchant).unwrap();
            behaviors(
                &mut SeededRng::from_numbers(&[seed, round, merchant, 1]),
                duration,
            )
        });
        let behaviors = behaviors.collect();
        Self {
            behaviors,
            seed,
            round,
            duration,
            shoppers: rng.between(32, 64),
            nodes,
            faults: faults::generate(&mut rng, duration),
        }
    }

    /// The dice of a shopper of this round.
    pub(crate) fn rng(&self, shopper: u64, order: u64) -> SeededRng {
        SeededRng::from_numbers(&[self.seed, self.round, shopper + 1, order])
    }

    /// The plan in a few lines, to be shown.
    pub(crate) fn outline(&self) -> String {
        let mut lines = Vec::new();
        for (number, events) in self.nodes.iter().enumerate() {
            let each = events.iter().map(|(delay, event)| match event {
                Event::Kill {
                    down,
                    again,
                    absent,
                } => {
                    let again =
                        again.map_or(String::new(), |after| format!(", again after {after:?}"));
                    let absent = absent.map_or(String::new(), |duration| {
                        format!(", started without a database for {duration:?}")
                    });
                    format!("{delay:?} until killed, down {down:?}{again}{absent}")
                }
                Event::LinkFault { kind, duration } => {
                    format!("{delay:?} until {kind:?} for {duration:?}")
                }
            });
            lines.push(format!(
                "  node {number}: {}",
                each.collect::<Vec<_>>().join("; ")
            ));
        }
        for (duration, set) in &self.faults {
            lines.push(format!("  PSP for {duration:?}: {set}"));
        }
        for (number, behaviors) in self.behaviors.iter().enumerate() {
            let each = behaviors
                .iter()
                .map(|(duration, behavior)| format!("{behavior} for {duration:?}"));
            lines.push(format!(
                "  receiver {number}: {}",
                each.collect::<Vec<_>>().join("; ")
            ));
        }
        lines.join("\n")
    }

    /// Whether the PSP may at some time of this round take back what it did with such a call.
    pub(crate) fn may_reverse(&self, kind: &str) -> bool {
        self.has_fault_for("fail_late", kind)
    }

    /// Whether a call of this kind may have been refused in this round, be it by what became of the
    /// payment before.
    pub(crate) fn may_refuse(&self, kind: &str) -> bool {
        let earlier: &[&str] = match kind {
            "capture" => &["authorise"],
            "cancel" => &["authorise", "capture"],
            "refund" => &["capture"],
            _ => &[],
        };
        let direct = self.has_fault_for("refuse", kind) || self.may_reverse(kind);
        direct || earlier.iter().any(|kind| self.may_reverse(kind))
    }

    fn has_fault_for(&self, fault: &str, kind: &str) -> bool {
        let named = |(_, faults): &(Duration, Value)| {
            let kinds = faults[fault].as_array();
            kinds.is_some_and(|kinds| kinds.iter().any(|named| named == kind))
        };
        self.faults.iter().any(named)
    }

    /// Whether an outcome may have been impossible to write down.
    pub(crate) fn has_link_faults(&self) -> bool {
        let mut events = self.nodes.iter().flatten();
        events.any(|(_, event)| matches!(event, Event::LinkFault { .. }))
    }
}

fn timeline(rng: &mut SeededRng, duration: Duration, has_links: bool) -> Vec<(Duration, Event)> {
    let mut events = Vec::new();
    let mut at = Duration::ZERO;
    loop {
        let delay = rng.millis(400, 2_200);
        let event = if has_links && !events.is_empty() && rng.chance(40) {
            let kind = *rng.pick(&[LinkFault::Cut, LinkFault::Mute]);
            let duration = rng.millis(50, 1_200);
            Event::LinkFault { kind, duration }
        } else {
            let again = rng.chance(25).then(|| rng.millis(10, 400));
            let absent = rng.chance(30).then(|| rng.millis(200, 1_500));
            Event::Kill {
                down: rng.millis(0, 600),
                again,
                absent: absent.filter(|_| has_links),
            }
        };
        at += delay;
        // The first one always happens: no round without a kill.
        if at >= duration && !events.is_empty() {
            return events;
        }
        events.push((delay, event));
    }
}

fn behaviors(rng: &mut SeededRng, duration: Duration) -> Vec<(Duration, Behavior)> {
    let mut behaviors = Vec::new();
    let mut at = Duration::ZERO;
    while at < duration {
        let step = rng.millis(500, 2_500);
        at += step;
        behaviors.push((step, Behavior::generate(rng)));
    }
    behaviors
}
