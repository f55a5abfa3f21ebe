//! What will happen in a round, drawn from the seed: kills, breaks of the database's line, faults of
//! the PSP, moods of the merchants' servers, and how each shopper and merchant behave.

use std::time::Duration;

use serde_json::Value;

use crate::{faults, mood::Mood};

/// A generator of chances that gives the same ones for the same seed, on every machine
/// (`SplitMix64`).
#[derive(Debug, Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    /// Dice of their own for each combination of numbers.
    pub(crate) fn of(numbers: &[u64]) -> Self {
        let mut dice = Self(0x9E37_79B9_7F4A_7C15);
        for number in numbers {
            dice.0 ^= number.wrapping_mul(0xD6E8_FEB8_6659_FD93);
            dice.0 = dice.next();
        }
        dice
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number from `least` to `most`.
    pub(crate) fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.next() % (most - least + 1)
    }

    /// As `between`, for an amount of money.
    pub(crate) fn amount(&mut self, least: i64, most: i64) -> i64 {
        let width = u64::try_from(most - least).unwrap();
        least + i64::try_from(self.between(0, width)).unwrap()
    }

    /// Whether something happens that happens so often in a hundred.
    pub(crate) fn hits(&mut self, percent: u64) -> bool {
        self.between(1, 100) <= percent
    }

    /// One of these.
    pub(crate) fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        let last = u64::try_from(of.len()).unwrap() - 1;
        &of[usize::try_from(self.between(0, last)).unwrap()]
    }

    /// A wait from `least` to `most` milliseconds.
    pub(crate) fn millis(&mut self, least: u64, most: u64) -> Duration {
        Duration::from_millis(self.between(least, most))
    }
}

/// How the line to the database breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Break {
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
    Line { how: Break, lasts: Duration },
}

/// Who takes part in every round.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cast {
    pub(crate) nodes: usize,
    pub(crate) merchants: usize,
    /// Whether nodes have a line to their database that can break.
    pub(crate) breaks: bool,
}

/// A round: everything that is decided beforehand.
#[derive(Debug, Clone)]
pub(crate) struct RoundPlan {
    pub(crate) seed: u64,
    pub(crate) round: u64,
    /// How long there is load.
    pub(crate) lasts: Duration,
    /// How many shoppers are at it at any time.
    pub(crate) shoppers: u64,
    /// For each node: how long it is left alone, and then what happens.
    pub(crate) nodes: Vec<Vec<(Duration, Event)>>,
    /// How long each set of the PSP's faults stays.
    pub(crate) faults: Vec<(Duration, Value)>,
    /// For each merchant: how long each mood of its server stays.
    pub(crate) moods: Vec<Vec<(Duration, Mood)>>,
}

impl RoundPlan {
    /// The plan of a round.
    pub(crate) fn new((seed, round): (u64, u64), cast: &Cast) -> Self {
        let mut dice = Dice::of(&[seed, round]);
        let lasts = dice.millis(4_500, 6_500);
        let timelines = (0..cast.nodes).map(|_| timeline(&mut dice, lasts, cast.breaks));
        let nodes = timelines.collect();
        let moods = (0..cast.merchants).map(|merchant| {
            let merchant = u64::try_from(merchant).unwrap();
            moods(&mut Dice::of(&[seed, round, merchant, 1]), lasts)
        });
        let moods = moods.collect();
        Self {
            moods,
            seed,
            round,
            lasts,
            shoppers: dice.between(32, 64),
            nodes,
            faults: faults::drawn(&mut dice, lasts),
        }
    }

    /// The dice of a shopper of this round.
    pub(crate) fn dice(&self, shopper: u64, order: u64) -> Dice {
        Dice::of(&[self.seed, self.round, shopper + 1, order])
    }

    /// The plan in a few lines, to be shown.
    pub(crate) fn outline(&self) -> String {
        let mut lines = Vec::new();
        for (number, events) in self.nodes.iter().enumerate() {
            let each = events.iter().map(|(alone, event)| match event {
                Event::Kill {
                    down,
                    again,
                    absent,
                } => {
                    let again =
                        again.map_or(String::new(), |after| format!(", again after {after:?}"));
                    let absent = absent.map_or(String::new(), |lasts| {
                        format!(", started without a database for {lasts:?}")
                    });
                    format!("{alone:?} until killed, down {down:?}{again}{absent}")
                }
                Event::Line { how, lasts } => format!("{alone:?} until {how:?} for {lasts:?}"),
            });
            lines.push(format!(
                "  node {number}: {}",
                each.collect::<Vec<_>>().join("; ")
            ));
        }
        for (stays, set) in &self.faults {
            lines.push(format!("  PSP for {stays:?}: {set}"));
        }
        for (number, moods) in self.moods.iter().enumerate() {
            let each = moods
                .iter()
                .map(|(stays, mood)| format!("{mood} for {stays:?}"));
            lines.push(format!(
                "  receiver {number}: {}",
                each.collect::<Vec<_>>().join("; ")
            ));
        }
        lines.join("\n")
    }

    /// Whether the PSP may at some time of this round take back what it did with such a call.
    pub(crate) fn takes_back(&self, kind: &str) -> bool {
        self.names("fail_late", kind)
    }

    /// Whether a call of this kind may have been refused in this round, be it by what became of the
    /// payment before.
    pub(crate) fn may_refuse(&self, kind: &str) -> bool {
        let before: &[&str] = match kind {
            "capture" => &["authorise"],
            "cancel" => &["authorise", "capture"],
            "refund" => &["capture"],
            _ => &[],
        };
        let itself = self.names("refuse", kind) || self.takes_back(kind);
        itself || before.iter().any(|kind| self.takes_back(kind))
    }

    fn names(&self, fault: &str, kind: &str) -> bool {
        let named = |(_, faults): &(Duration, Value)| {
            let kinds = faults[fault].as_array();
            kinds.is_some_and(|kinds| kinds.iter().any(|named| named == kind))
        };
        self.faults.iter().any(named)
    }

    /// Whether an outcome may have been impossible to write down.
    pub(crate) fn breaks_lines(&self) -> bool {
        let mut events = self.nodes.iter().flatten();
        events.any(|(_, event)| matches!(event, Event::Line { .. }))
    }
}

fn timeline(dice: &mut Dice, lasts: Duration, breaks: bool) -> Vec<(Duration, Event)> {
    let mut events = Vec::new();
    let mut at = Duration::ZERO;
    loop {
        let alone = dice.millis(400, 2_200);
        let event = if breaks && !events.is_empty() && dice.hits(40) {
            let how = *dice.pick(&[Break::Cut, Break::Mute]);
            let lasts = dice.millis(50, 1_200);
            Event::Line { how, lasts }
        } else {
            let again = dice.hits(25).then(|| dice.millis(10, 400));
            let absent = dice.hits(30).then(|| dice.millis(200, 1_500));
            Event::Kill {
                down: dice.millis(0, 600),
                again,
                absent: absent.filter(|_| breaks),
            }
        };
        at += alone;
        // The first one always happens: no round without a kill.
        if at >= lasts && !events.is_empty() {
            return events;
        }
        events.push((alone, event));
    }
}

fn moods(dice: &mut Dice, lasts: Duration) -> Vec<(Duration, Mood)> {
    let mut moods = Vec::new();
    let mut at = Duration::ZERO;
    while at < lasts {
        let stays = dice.millis(500, 2_500);
        at += stays;
        moods.push((stays, Mood::drawn(dice)));
    }
    moods
}
