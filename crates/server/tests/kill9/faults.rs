//! The PSP's faults in a round, drawn from the seed.

use std::time::Duration;

use serde_json::{Value, json};

use crate::plan::Dice;

const KINDS: [&str; 4] = ["authorise", "capture", "cancel", "refund"];

/// How long each set of faults stays.
pub(crate) fn drawn(dice: &mut Dice, lasts: Duration) -> Vec<(Duration, Value)> {
    let mut sets = Vec::new();
    let mut at = Duration::ZERO;
    while at < lasts {
        let stays = dice.millis(250, 1_200);
        at += stays;
        sets.push((stays, set(dice)));
    }
    sets
}

/// A set of faults: none at all, or some at once.
fn set(dice: &mut Dice) -> Value {
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
        set["refuse"] = json!([dice.pick(&KINDS)]);
    }
    if dice.hits(35) {
        set["fail_late"] = some(dice);
    }
    notifications(dice, &mut set);
    set
}

fn notifications(dice: &mut Dice, set: &mut Value) {
    if dice.hits(40) {
        set["duplicate_notifications"] = json!(dice.between(1, 3));
    }
    if dice.hits(40) {
        set["reorder_notifications"] = json!(true);
    }
    if dice.hits(25) {
        set["delay_notifications_ms"] = json!(dice.between(100, 5_000));
    }
}

/// One kind of call, or several.
fn some(dice: &mut Dice) -> Value {
    let drawn: Vec<_> = KINDS.into_iter().filter(|_| dice.hits(35)).collect();
    if drawn.is_empty() {
        return json!([dice.pick(&KINDS)]);
    }
    json!(drawn)
}
