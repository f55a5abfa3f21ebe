//! What will happen in a round, drawn from the seed: kills, cuts of the database's line, faults of
//! the PSP, and how each shopper and merchant behave.

use std::time::Duration;

use serde_json::{Value, json};

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
}

/// What happens to a node.
#[derive(Debug, Clone)]
pub(crate) enum Event {
    /// Killed; started again after a while; perhaps killed once more while it starts.
    Kill {
        down: Duration,
        again: Option<Duration>,
    },
    /// Its line to the database breaks for a while.
    Line { how: Break, lasts: Duration },
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
}

impl RoundPlan {
    /// The plan of a round.
    pub(crate) fn new(seed: u64, round: u64, nodes: usize, breaks: bool) -> Self {
        let mut dice = Dice::of(&[seed, round]);
        let lasts = dice.millis(4_500, 6_500);
        let timelines = (0..nodes).map(|_| timeline(&mut dice, lasts, breaks));
        let nodes = timelines.collect();
        Self {
            seed,
            round,
            lasts,
            shoppers: dice.between(32, 64),
            nodes,
            faults: faults(&mut dice, lasts),
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
                Event::Kill { down, again } => {
                    let again =
                        again.map_or(String::new(), |after| format!(", again after {after:?}"));
                    format!("{alone:?} until killed, down {down:?}{again}")
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
        lines.join("\n")
    }

    /// Whether the PSP may at some time of this round say no to a call of this kind.
    pub(crate) fn may_refuse(&self, kind: &str) -> bool {
        let named = |(_, faults): &(Duration, Value)| {
            let kinds = faults["refuse"].as_array();
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
            let down = dice.millis(0, 600);
            Event::Kill { down, again }
        };
        at += alone;
        // The first one always happens: no round without a kill.
        if at >= lasts && !events.is_empty() {
            return events;
        }
        events.push((alone, event));
    }
}

fn faults(dice: &mut Dice, lasts: Duration) -> Vec<(Duration, Value)> {
    let mut sets = Vec::new();
    let mut at = Duration::ZERO;
    while at < lasts {
        let stays = dice.millis(250, 1_200);
        at += stays;
        sets.push((stays, fault(dice)));
    }
    sets
}

/// A set of faults: none at all, or some at once.
fn fault(dice: &mut Dice) -> Value {
    let mut set = json!({ "seed": dice.between(0, 1_000_000) });
    if dice.hits(20) {
        return set;
    }
    let rates = [0.1, 0.3, 0.6];
    if dice.hits(50) {
        let least = dice.between(0, 60);
        set["latency_ms"] = json!([least, least + dice.between(0, 300)]);
    }
    if dice.hits(35) {
        set["error_rate"] = json!(dice.pick(&rates));
    }
    if dice.hits(45) {
        set["drop_after_work_rate"] = json!(dice.pick(&rates));
    }
    if dice.hits(12) {
        set["refuse_connections_ms"] = json!(dice.between(50, 900));
    }
    if dice.hits(30) {
        set["asynchronous"] = json!(true);
    }
    if dice.hits(10) {
        set["refuse"] = json!([dice.pick(&["authorise", "capture", "cancel", "refund"])]);
    }
    if dice.hits(40) {
        set["duplicate_notifications"] = json!(dice.between(1, 3));
    }
    if dice.hits(40) {
        set["reorder_notifications"] = json!(true);
    }
    if dice.hits(25) {
        set["delay_notifications_ms"] = json!(dice.between(100, 5_000));
    }
    set
}
