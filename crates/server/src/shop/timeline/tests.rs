//! Webhooks that come first, late, twice, out of order, or never.

use serde_json::{Value, json};

use super::*;
use crate::shop::{examples::session, sightings};

/// A time of the day.
fn at(time: &str) -> String {
    format!("2026-11-22T{time}Z")
}

fn received(event: &str, sequence: u32, time: &str) -> Received {
    let received = json!({
        "id": format!("evt_{sequence}"), "event": event, "session_id": "cs_1",
        "sequence": sequence, "status": "captured", "amount": 1000, "currency": "USD",
        "created_at": at(time), "came_at": at("13:00:00"), "times": 1,
    });
    serde_json::from_value(received).unwrap()
}

fn of_refund(event: &str, sequence: u32, refund: &str) -> Received {
    let refund_id = Some(refund.to_owned());
    Received {
        refund_id,
        ..received(event, sequence, "12:05:00")
    }
}

/// An order that was looked at once for each status, at this time.
fn looked_at(looks: &[(&str, &str)]) -> Order {
    let placed = serde_json::from_value(json!(at("11:59:00"))).unwrap();
    let mut order = Order::new(7, placed, Vec::new());
    for (status, time) in looks {
        let changes = json!({ "updated_at": at(time) });
        sightings::enter(&mut order, &session(status, &changes));
    }
    order
}

fn paid_with(refunds: &Value) -> Payment {
    Payment {
        session: session("captured", &json!({})),
        refunds: serde_json::from_value(refunds.clone()).unwrap(),
    }
}

fn refund_of(id: &str, status: &str) -> Value {
    json!({
        "refund_id": id, "session_id": "cs_1", "status": status, "psp_reference": null,
        "amount": 400, "currency": "USD", "reference": "r", "failure": null,
        "created_at": at("12:05:00"), "updated_at": at("12:05:00"),
    })
}

/// Each entry as `Title: sequences of what told of it`, or `Title?` where nothing did.
fn lines(order: &Order, payment: Option<&Payment>, received: &[Received]) -> Vec<String> {
    let entries = entries(order, payment, received).into_iter();
    let line = |entry: Entry| {
        let told = entry.told.iter().map(|event| event.sequence.to_string());
        match told.collect::<Vec<_>>().join(" ") {
            told if told.is_empty() => format!("{}?", entry.title),
            told => format!("{}: {told}", entry.title),
        }
    };
    entries.map(line).collect()
}

const AUTHORIZED: (&str, &str) = ("authorized", "12:01:00");
const CAPTURED: (&str, &str) = ("captured", "12:02:00");

fn both() -> [Received; 2] {
    let told = |(status, time): (&str, &str), sequence| {
        received(&format!("payment.{status}"), sequence, time)
    };
    [told(AUTHORIZED, 1), told(CAPTURED, 2)]
}

#[test]
fn an_event_stands_under_the_fact_that_it_tells_of() {
    let order = looked_at(&[AUTHORIZED, CAPTURED]);
    let told = ["Order placed?", "Created?", "Authorized: 1", "Captured: 2"];
    assert_eq!(lines(&order, None, &both()), told);
}

#[test]
fn where_no_webhook_comes_a_fact_is_seen_by_get() {
    let order = looked_at(&[AUTHORIZED, CAPTURED]);
    let never = ["Order placed?", "Created?", "Authorized?", "Captured?"];
    assert_eq!(lines(&order, None, &[]), never);
    let second_alone = &both()[1..];
    let gap = ["Order placed?", "Created?", "Authorized?", "Captured: 2"];
    assert_eq!(lines(&order, None, second_alone), gap);
    let seen = entries(&order, None, second_alone)[2].seen;
    assert_eq!(seen, "Seen by GET; no webhook has come yet");
}

#[test]
fn a_status_that_was_missed_takes_its_time_from_its_event() {
    let order = looked_at(&[CAPTURED]);
    let authorized = |received: &[Received]| {
        let entry = entries(&order, None, received).remove(2);
        (entry.title, entry.at.rfc3339(), entry.at_latest)
    };
    let missed = ("Authorized".to_owned(), at("12:02:00"), true);
    assert_eq!(authorized(&[]), missed);
    let told = ("Authorized".to_owned(), at("12:01:00"), false);
    assert_eq!(authorized(&both()), told);
}

#[test]
fn webhooks_that_come_before_any_look_are_entries_by_themselves() {
    let order = looked_at(&[]);
    let first = ["Order placed?", "Authorized: 1", "Captured: 2"];
    assert_eq!(lines(&order, None, &both()), first);
}

#[test]
fn what_comes_twice_is_counted_and_no_second_entry() {
    let order = looked_at(&[AUTHORIZED]);
    let mut event = received("payment.authorized", 1, "12:01:00");
    assert_eq!(event.deliveries(), "once");
    event.times = 3;
    assert_eq!(event.deliveries(), "3 times, first");
    let told = ["Order placed?", "Created?", "Authorized: 1"];
    assert_eq!(lines(&order, None, &[event]), told);
}

#[test]
fn each_refusal_has_its_own_event_and_a_missed_one_stands_alone() {
    let refused = |sequence, time| received("payment.refused", sequence, time);
    let order = looked_at(&[("refused", "12:01:30"), AUTHORIZED_LATE]);
    let events = [
        refused(1, "12:01:00"),
        refused(2, "12:01:30"),
        received("payment.authorized", 3, "12:01:30"),
    ];
    let told = [
        "Order placed?",
        "Created?",
        "Refused: 1",
        "Refused: 2",
        "Authorized: 3",
    ];
    assert_eq!(lines(&order, None, &events), told);
    let missed_between = looked_at(&[AUTHORIZED_LATE]);
    assert_eq!(lines(&missed_between, None, &events), told);
}

const AUTHORIZED_LATE: (&str, &str) = ("authorized", "12:01:30");

#[test]
fn a_refund_is_one_entry_with_all_its_events() {
    let order = looked_at(&[AUTHORIZED, CAPTURED]);
    let refunds = json!([
        refund_of("ref_b", "refund_requested"),
        refund_of("ref_a", "refund_succeeded"),
    ]);
    let payment = paid_with(&refunds);
    let events = [
        of_refund("refund.requested", 3, "ref_a"),
        of_refund("refund.requested", 4, "ref_b"),
        of_refund("refund.succeeded", 5, "ref_a"),
    ];
    let told = [
        "Refund of $4.00 succeeded: 3 5",
        "Refund of $4.00 requested: 4",
    ];
    assert_eq!(lines(&order, Some(&payment), &events)[4..], told);
    let never = ["Refund of $4.00 succeeded?", "Refund of $4.00 requested?"];
    assert_eq!(lines(&order, Some(&payment), &[])[4..], never);
    let unseen = [
        "Refund of $10.00 succeeded: 3 5",
        "Refund of $10.00 requested: 4",
    ];
    assert_eq!(lines(&order, None, &events)[4..], unseen);
}

#[test]
fn what_no_status_shows_is_an_entry_by_itself() {
    let order = looked_at(&[AUTHORIZED]);
    for (name, title, tone) in [
        ("payment.capture_failed", "Capture failed", Tone::Bad),
        ("payment.cancel_failed", "Cancel failed", Tone::Bad),
        ("chargeback.opened", "Chargeback opened", Tone::Bad),
        ("chargeback.won", "Chargeback won", Tone::Good),
        ("something_new", "something_new", Tone::Plain),
    ] {
        let event = received(name, 2, "12:04:00");
        let last = entries(&order, None, &[event]).pop().unwrap();
        assert_eq!((last.title.as_str(), last.tone), (title, tone), "{name}");
    }
}
