//! Webhooks that arrive early, late, twice, out of order, or never.

use serde_json::{Value, json};

use super::*;
use crate::{fixtures::session, status_history};

/// A time of the same day.
fn at(time: &str) -> String {
    format!("2026-11-22T{time}Z")
}

fn received(event: &str, sequence: u32, time: &str) -> ReceivedEvent {
    let received = json!({
        "id": format!("evt_{sequence}"), "event": event, "session_id": "cs_1",
        "sequence": sequence, "status": "captured", "amount": 1000, "currency": "USD",
        "created_at": at(time), "came_at": at("13:00:00"), "times": 1,
    });
    serde_json::from_value(received).unwrap()
}

fn refund_event(event: &str, sequence: u32, refund: &str) -> ReceivedEvent {
    let refund_id = Some(refund.to_owned());
    ReceivedEvent {
        refund_id,
        ..received(event, sequence, "12:05:00")
    }
}

/// An order whose payment was retrieved once for each status, at this time.
fn order_with_statuses(statuses: &[(&str, &str)]) -> Order {
    let placed = serde_json::from_value(json!(at("11:59:00"))).unwrap();
    let mut order = Order::new(7, placed, Vec::new());
    for (status, time) in statuses {
        let changes = json!({ "updated_at": at(time) });
        status_history::record(&mut order, &session(status, &changes));
    }
    order
}

fn payment_with(refunds: &Value) -> Payment {
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

/// Each entry as `Title: sequence numbers of its events`, or `Title?` without events.
fn lines(order: &Order, payment: Option<&Payment>, received: &[ReceivedEvent]) -> Vec<String> {
    let entries = entries(order, payment, received).into_iter();
    let line = |entry: Entry| {
        let sequences = entry.events.iter().map(|event| event.sequence.to_string());
        match sequences.collect::<Vec<_>>().join(" ") {
            sequences if sequences.is_empty() => format!("{}?", entry.title),
            sequences => format!("{}: {sequences}", entry.title),
        }
    };
    entries.map(line).collect()
}

const AUTHORIZED: (&str, &str) = ("authorized", "12:01:00");
const CAPTURED: (&str, &str) = ("captured", "12:02:00");

fn both() -> [ReceivedEvent; 2] {
    let event = |(status, time): (&str, &str), sequence| {
        received(&format!("payment.{status}"), sequence, time)
    };
    [event(AUTHORIZED, 1), event(CAPTURED, 2)]
}

#[test]
fn events_are_grouped_under_their_fact() {
    let order = order_with_statuses(&[AUTHORIZED, CAPTURED]);
    let expected = ["Order placed?", "Created?", "Authorized: 1", "Captured: 2"];
    assert_eq!(lines(&order, None, &both()), expected);
}

#[test]
fn without_a_webhook_the_source_is_get() {
    let order = order_with_statuses(&[AUTHORIZED, CAPTURED]);
    let without_webhooks = ["Order placed?", "Created?", "Authorized?", "Captured?"];
    assert_eq!(lines(&order, None, &[]), without_webhooks);
    let second_alone = &both()[1..];
    let gap = ["Order placed?", "Created?", "Authorized?", "Captured: 2"];
    assert_eq!(lines(&order, None, second_alone), gap);
    let source = entries(&order, None, second_alone)[2].source;
    assert_eq!(source, "Read by GET; no webhook received yet");
}

#[test]
fn a_missed_status_takes_its_time_from_its_event() {
    let order = order_with_statuses(&[CAPTURED]);
    let authorized = |received: &[ReceivedEvent]| {
        let entry = entries(&order, None, received).remove(2);
        (entry.title, entry.at.rfc3339(), entry.at_latest)
    };
    let missed = ("Authorized".to_owned(), at("12:02:00"), true);
    assert_eq!(authorized(&[]), missed);
    let expected = ("Authorized".to_owned(), at("12:01:00"), false);
    assert_eq!(authorized(&both()), expected);
}

#[test]
fn webhooks_before_any_fetch_are_entries_of_their_own() {
    let order = order_with_statuses(&[]);
    let first = ["Order placed?", "Authorized: 1", "Captured: 2"];
    assert_eq!(lines(&order, None, &both()), first);
}

#[test]
fn a_repeated_webhook_is_counted_once() {
    let order = order_with_statuses(&[AUTHORIZED]);
    let mut event = received("payment.authorized", 1, "12:01:00");
    assert_eq!(event.deliveries(), "once");
    event.times = 3;
    assert_eq!(event.deliveries(), "3 times, first");
    let expected = ["Order placed?", "Created?", "Authorized: 1"];
    assert_eq!(lines(&order, None, &[event]), expected);
}

#[test]
fn each_refusal_has_its_own_event() {
    let refused = |sequence, time| received("payment.refused", sequence, time);
    let order = order_with_statuses(&[("refused", "12:01:30"), AUTHORIZED_LATE]);
    let events = [
        refused(1, "12:01:00"),
        refused(2, "12:01:30"),
        received("payment.authorized", 3, "12:01:30"),
    ];
    let expected = [
        "Order placed?",
        "Created?",
        "Refused: 1",
        "Refused: 2",
        "Authorized: 3",
    ];
    assert_eq!(lines(&order, None, &events), expected);
    let missed_between = order_with_statuses(&[AUTHORIZED_LATE]);
    assert_eq!(lines(&missed_between, None, &events), expected);
}

const AUTHORIZED_LATE: (&str, &str) = ("authorized", "12:01:30");

#[test]
fn a_refund_is_one_entry_with_all_its_events() {
    let order = order_with_statuses(&[AUTHORIZED, CAPTURED]);
    let refunds = json!([
        refund_of("ref_b", "refund_requested"),
        refund_of("ref_a", "refund_succeeded"),
    ]);
    let payment = payment_with(&refunds);
    let events = [
        refund_event("refund.requested", 3, "ref_a"),
        refund_event("refund.requested", 4, "ref_b"),
        refund_event("refund.succeeded", 5, "ref_a"),
    ];
    let expected = [
        "Refund of $4.00 succeeded: 3 5",
        "Refund of $4.00 requested: 4",
    ];
    assert_eq!(lines(&order, Some(&payment), &events)[4..], expected);
    let without_webhooks = ["Refund of $4.00 succeeded?", "Refund of $4.00 requested?"];
    assert_eq!(lines(&order, Some(&payment), &[])[4..], without_webhooks);
    let unseen = [
        "Refund of $10.00 succeeded: 3 5",
        "Refund of $10.00 requested: 4",
    ];
    assert_eq!(lines(&order, None, &events)[4..], unseen);
}

#[test]
fn events_without_a_status_are_entries_of_their_own() {
    let order = order_with_statuses(&[AUTHORIZED]);
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
