//! PSP faults of a round, generated from the seed.

use std::time::Duration;

use serde_json::{Value, json};

use crate::plan::SeededRng;

const KINDS: [&str; 4] = ["authorise", "capture", "cancel", "refund"];

/// The sets of faults, each with its duration.
pub(crate) fn generate(rng: &mut SeededRng, duration: Duration) -> Vec<(Duration, Value)> {
    let mut sets = Vec::new();
    let mut at = Duration::ZERO;
    while at < duration {
        let stays = rng.millis(250, 1_200);
        at += stays;
        sets.push((stays, set(rng)));
    }
    sets
}

/// A random set of faults, possibly empty.
fn set(rng: &mut SeededRng) -> Value {
    let mut set = json!({ "seed": rng.between(0, 1_000_000) });
    if rng.chance(20) {
        return set;
    }
    let rates = [0.1, 0.3, 0.6];
    if rng.chance(50) {
        let least = rng.between(0, 60);
        set["latency_ms"] = json!([least, least + rng.between(0, 300)]);
    }
    if rng.chance(35) {
        set["error_rate"] = json!(rng.pick(&rates));
    }
    if rng.chance(45) {
        set["drop_after_work_rate"] = json!(rng.pick(&rates));
    }
    if rng.chance(12) {
        set["refuse_connections_ms"] = json!(rng.between(50, 900));
    }
    if rng.chance(30) {
        set["asynchronous"] = json!(true);
    }
    if rng.chance(10) {
        set["refuse"] = json!([rng.pick(&KINDS)]);
    }
    if rng.chance(35) {
        set["fail_late"] = random_kinds(rng);
    }
    notifications(rng, &mut set);
    set
}

fn notifications(rng: &mut SeededRng, set: &mut Value) {
    if rng.chance(40) {
        set["duplicate_notifications"] = json!(rng.between(1, 3));
    }
    if rng.chance(40) {
        set["reorder_notifications"] = json!(true);
    }
    if rng.chance(25) {
        set["delay_notifications_ms"] = json!(rng.between(100, 5_000));
    }
}

/// One kind of call, or several.
fn random_kinds(rng: &mut SeededRng) -> Value {
    let drawn: Vec<_> = KINDS.into_iter().filter(|_| rng.chance(35)).collect();
    if drawn.is_empty() {
        return json!([rng.pick(&KINDS)]);
    }
    json!(drawn)
}
