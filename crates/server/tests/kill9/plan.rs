//! The plan of a round, generated from the seed: kills, connection faults, PSP faults, behaviors of
//! merchants' servers, and actions of shoppers and merchants.

use std::time::Duration;

use serde_json::Value;

use crate::{behavior::Behavior, faults, shared::proxy::Fault};

/// A pseudorandom generator (`SplitMix64`) with the same output for the same seed on every machine.
#[derive(Debug, Clone)]
pub(crate) struct SeededRng(u64);

impl SeededRng {
    /// A separate generator for each combination of numbers.
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

    /// A number from `min` to `max`, inclusive.
    pub(crate) fn between(&mut self, min: u64, max: u64) -> u64 {
        min + self.next() % (max - min + 1)
    }

    /// As `between`, for an amount of money.
    pub(crate) fn amount(&mut self, min: i64, max: i64) -> i64 {
        let width = u64::try_from(max - min).unwrap();
        min + i64::try_from(self.between(0, width)).unwrap()
    }

    /// `true` in this percentage of calls.
    pub(crate) fn chance(&mut self, percent: u64) -> bool {
        self.between(1, 100) <= percent
    }

    /// A random element.
    pub(crate) fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        let last = u64::try_from(of.len()).unwrap() - 1;
        &of[usize::try_from(self.between(0, last)).unwrap()]
    }

    /// A duration from `min` to `max` milliseconds.
    pub(crate) fn millis(&mut self, min: u64, max: u64) -> Duration {
        Duration::from_millis(self.between(min, max))
    }
}

/// An event of a node.
#[derive(Debug, Clone)]
pub(crate) enum Event {
    /// Killed and restarted after a while; possibly killed again during the start, or started while
    /// its database is absent.
    Kill {
        down: Duration,
        again: Option<Duration>,
        absent: Option<Duration>,
    },
    /// Its database connection fails for a while.
    LinkFault { kind: Fault, duration: Duration },
}

/// The participants of every round.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Participants {
    pub(crate) nodes: usize,
    pub(crate) merchants: usize,
    /// Whether nodes have a database connection that can fail.
    pub(crate) has_links: bool,
}

/// A round: everything that is planned in advance.
#[derive(Debug, Clone)]
pub(crate) struct RoundPlan {
    pub(crate) seed: u64,
    pub(crate) round: u64,
    /// Duration of the load.
    pub(crate) duration: Duration,
    /// Number of concurrent shoppers.
    pub(crate) shoppers: u64,
    /// For each node: a delay, and the event that follows.
    pub(crate) nodes: Vec<Vec<(Duration, Event)>>,
    /// The sets of PSP faults, each with its duration.
    pub(crate) faults: Vec<(Duration, Value)>,
    /// For each merchant: the behaviors of its server, each with its duration.
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

    /// The generator of a shopper of this round.
    pub(crate) fn rng(&self, shopper: u64, order: u64) -> SeededRng {
        SeededRng::from_numbers(&[self.seed, self.round, shopper + 1, order])
    }

    /// A description of the plan in a few lines.
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

    /// Whether the PSP may reverse such a call at some time of this round.
    pub(crate) fn may_reverse(&self, kind: &str) -> bool {
        self.has_fault_for("fail_late", kind)
    }

    /// Whether a call of this kind may be refused in this round, including because of the payment's
    /// earlier state.
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

    /// Whether storing an outcome may have failed.
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
            let kind = *rng.pick(&[Fault::Cut, Fault::Mute]);
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
        // The first event is always a kill.
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
