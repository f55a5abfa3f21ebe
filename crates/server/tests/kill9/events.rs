//! Received events: each at least once, only at its own merchant, correctly signed, in order, and
//! consistent with the session.

use std::collections::{BTreeSet, HashMap};

use serde_json::Value;

use crate::{
    behavior::Reply,
    money::{capture_failed, paid_out},
    receiver::{Arrival, Receiver},
};

/// Delay until the end of a hanging connection may be noticed.
const DISCONNECT_TOLERANCE: std::time::Duration = std::time::Duration::from_millis(500);

/// The deliveries to one merchant's server in a round, by session.
pub(crate) struct DeliveryLog {
    by_session: HashMap<String, Vec<Arrival>>,
}

impl DeliveryLog {
    /// The deliveries to this server.
    pub(crate) fn of(receiver: &Receiver) -> Self {
        let mut by_session: HashMap<String, Vec<Arrival>> = HashMap::new();
        for arrival in receiver.arrivals() {
            let session = arrival.session().to_owned();
            by_session.entry(session).or_default().push(arrival);
        }
        Self { by_session }
    }

    /// Number of deliveries, and how many of them were rejected.
    pub(crate) fn counts(&self) -> (u64, u64) {
        let all = self.by_session.values().flatten();
        let refused = all.clone().filter(|arrival| !was_accepted(arrival)).count();
        (
            u64::try_from(all.count()).unwrap(),
            u64::try_from(refused).unwrap(),
        )
    }

    /// Invalid deliveries, and deliveries for sessions that do not belong to the merchant.
    pub(crate) fn problems(&self, sessions: &BTreeSet<&str>) -> Vec<String> {
        let mut problems = Vec::new();
        for arrival in self.by_session.values().flatten() {
            if !arrival.problems.is_empty() {
                problems.push(format!(
                    "a delivery with {:?}: {}",
                    arrival.problems, arrival.body
                ));
            }
            if !sessions.contains(arrival.session()) {
                problems.push(format!("not this merchant's event: {}", arrival.body));
            }
        }
        problems
    }

    fn of_session(&self, id: &str) -> &[Arrival] {
        self.by_session.get(id).map_or(&[], Vec::as_slice)
    }

    /// Number of deliveries of an event, over all attempts.
    pub(crate) fn count(&self, id: &str) -> usize {
        let all = self.by_session.values().flatten();
        all.filter(|arrival| arrival.id() == id).count()
    }
}

fn was_accepted(arrival: &Arrival) -> bool {
    matches!(arrival.reply, Reply::Status(status) if (200..300).contains(&status))
}

/// The events of a session, oldest first, with the deliveries to its merchant.
pub(crate) struct SessionEvents<'a> {
    pub(crate) events: &'a [Value],
    arrivals: &'a [Arrival],
}

impl<'a> SessionEvents<'a> {
    /// The events of this session.
    pub(crate) fn new(id: &str, events: &'a [Value], delivery_log: &'a DeliveryLog) -> Self {
        let arrivals = delivery_log.of_session(id);
        Self { events, arrivals }
    }

    /// Checks that sequence numbers have no gaps, and that each event was delivered as it is
    /// listed.
    pub(crate) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        for (number, event) in (1u64..).zip(self.events) {
            let sequence = event["sequence"].as_u64().unwrap();
            if sequence != number {
                problems.push(format!("the event {number} has the sequence {sequence}"));
            }
            let its: Vec<&Arrival> = self.of(event).collect();
            if !its.iter().any(|arrival| was_accepted(arrival)) {
                problems.push(format!("never received, in {} tries: {event}", its.len()));
            }
            for arrival in its.iter().filter(|arrival| arrival.body != *event) {
                problems.push(format!("{event} was delivered as {}", arrival.body));
            }
        }
        let ids: Vec<&str> = self
            .events
            .iter()
            .filter_map(|e| e["id"].as_str())
            .collect();
        for arrival in self.arrivals.iter().filter(|a| !ids.contains(&a.id())) {
            problems.push(format!("delivered, but not listed: {}", arrival.body));
        }
        problems
    }

    fn of(&self, event: &Value) -> impl Iterator<Item = &'a Arrival> {
        let id = event["id"].as_str().unwrap_or_default().to_owned();
        self.arrivals
            .iter()
            .filter(move |arrival| arrival.id() == id)
    }

    /// Events whose first attempt began before the first attempt of the previous event ended; with
    /// the previous event's id and its number of deliveries.
    pub(crate) fn out_of_order(&self) -> Vec<(String, usize, String)> {
        let mut found = Vec::new();
        for pair in self.events.windows(2) {
            let [before, after] = pair else { continue };
            let (Some(first), Some(next)) = (self.of(before).next(), self.of(after).next()) else {
                continue;
            };
            let slack = match first.reply {
                Reply::Hang(_) => DISCONNECT_TOLERANCE,
                Reply::Status(_) | Reply::Close => std::time::Duration::ZERO,
            };
            if next.at + slack < first.ended {
                let what = format!(
                    "the first attempt of {} began {:?} before that of {} had ended ({:?})",
                    next.sequence(),
                    first.ended - next.at,
                    first.sequence(),
                    first.reply,
                );
                found.push((first.id().to_owned(), self.of(before).count(), what));
            }
        }
        found
    }

    /// Checks that the events match the session and its refunds, each reported once.
    pub(crate) fn inconsistencies(&self, session: &Value, refunds: &[Value]) -> Vec<String> {
        let mut problems = Vec::new();
        let status = session["status"].as_str().unwrap();
        let last_status = self.events.last().map(|event| &event["status"]);
        if last_status.is_some_and(|last| last != status)
            || (last_status.is_none() && status != "created")
        {
            problems.push(format!("the last event has the status {last_status:?}"));
        }
        let needed = match status {
            "error" if capture_failed(session) => "payment.capture_failed".to_owned(),
            _ => format!("payment.{status}"),
        };
        if status != "created" && self.count_named(&needed, None) == 0 {
            problems.push(format!("there is no event {needed}"));
        }
        for once in ["authorized", "captured", "cancelled", "expired"] {
            if self.count_named(&format!("payment.{once}"), None) > 1 {
                problems.push(format!("payment.{once} occurs more than once"));
            }
        }
        for refund in refunds {
            problems.extend(self.refund_inconsistency(refund));
        }
        let ordered = self.count_named("refund.requested", None);
        if ordered != refunds.len() {
            problems.push(format!("{ordered} refunds have an event"));
        }
        let paid = self.count_named("refund.succeeded", None);
        if paid < paid_out(refunds).len() {
            problems.push(format!("{paid} refunds have an event of success"));
        }
        problems
    }

    fn refund_inconsistency(&self, refund: &Value) -> Option<String> {
        let id = refund["refund_id"].as_str();
        let of_it = |event: &&Value| event["refund_id"].as_str() == id;
        let names: Vec<&str> = self
            .events
            .iter()
            .filter(of_it)
            .filter_map(|event| event["event"].as_str())
            .collect();
        let possible: &[&[&str]] = if refund["status"] == "refund_succeeded" {
            &[&["refund.requested", "refund.succeeded"]]
        } else {
            // A refund that succeeded may have been reversed.
            &[
                &["refund.requested", "refund.failed"],
                &["refund.requested", "refund.succeeded", "refund.failed"],
            ]
        };
        let is_possible = possible.contains(&&names[..]);
        (!is_possible).then(|| format!("the refund {id:?} has the events {names:?}"))
    }

    fn count_named(&self, name: &str, refund: Option<&str>) -> usize {
        let named = self.events.iter().filter(|event| event["event"] == name);
        named
            .filter(|event| refund.is_none() || event["refund_id"].as_str() == refund)
            .count()
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use serde_json::json;

    use super::*;

    fn event(sequence: u64, name: &str, status: &str) -> Value {
        let id = format!("evt_{sequence}");
        json!({ "id": id, "session_id": "cs_1", "sequence": sequence, "event": name, "status": status })
    }

    /// A delivery that began and ended this many milliseconds after the start.
    fn arrival(event: &Value, reply: Reply, began: u64, ended: u64, start: Instant) -> Arrival {
        Arrival {
            at: start + Duration::from_millis(began),
            ended: start + Duration::from_millis(ended),
            reply,
            body: event.clone(),
            problems: Vec::new(),
        }
    }

    fn delivery_log(arrivals: Vec<Arrival>) -> DeliveryLog {
        let by_session = HashMap::from([("cs_1".to_owned(), arrivals)]);
        DeliveryLog { by_session }
    }

    #[test]
    fn deliveries_that_differ_from_the_list_are_found() {
        let events = [
            event(1, "payment.authorized", "authorized"),
            event(2, "payment.captured", "captured"),
        ];
        let (ok, failed, start) = (Reply::Status(200), Reply::Status(500), Instant::now());
        let both = || {
            vec![
                arrival(&events[0], failed, 0, 1, start),
                arrival(&events[1], ok, 1, 2, start),
                arrival(&events[0], ok, 20, 21, start),
            ]
        };
        let findings = |arrivals: Vec<Arrival>| {
            let delivery_log = delivery_log(arrivals);
            let session_events = SessionEvents::new("cs_1", &events, &delivery_log);
            session_events.problems().len() + session_events.out_of_order().len()
        };
        assert_eq!(findings(both()), 0, "a late retry is valid");
        assert_eq!(findings(both().drain(..2).collect()), 1, "never taken");
        assert_eq!(findings(both().drain(..1).collect()), 2, "never came");
        let change = |change: &dyn Fn(&mut Vec<Arrival>)| {
            let mut arrivals = both();
            change(&mut arrivals);
            findings(arrivals)
        };
        let other = event(2, "payment.captured", "authorized");
        assert_eq!(
            change(&|all| all[1].body = other.clone()),
            1,
            "another body"
        );
        let begins_early = |all: &mut Vec<Arrival>| all[0].ended = start + Duration::from_millis(5);
        assert_eq!(change(&begins_early), 1, "concurrent with the previous one");
        let unlisted = event(3, "payment.captured", "captured");
        let more = arrival(&unlisted, ok, 30, 31, start);
        assert_eq!(change(&|all| all.push(more.clone())), 1, "not listed");
    }

    #[test]
    fn deliveries_to_another_merchant_or_wrongly_signed_are_found() {
        let event = event(1, "payment.expired", "expired");
        let mut one = arrival(&event, Reply::Status(200), 0, 1, Instant::now());
        let ours = BTreeSet::from(["cs_1"]);
        assert_eq!(
            delivery_log(vec![one.clone()]).problems(&ours),
            Vec::<String>::new()
        );
        assert_eq!(
            delivery_log(vec![one.clone()])
                .problems(&BTreeSet::new())
                .len(),
            1
        );
        one.problems.push("no plain signature");
        assert_eq!(delivery_log(vec![one]).problems(&ours).len(), 1);
    }

    #[test]
    fn events_that_contradict_the_session_are_found() {
        let authorized = event(1, "payment.authorized", "authorized");
        let captured = event(2, "payment.captured", "captured");
        let session = json!({ "status": "captured", "failure": null });
        let inconsistencies = |events: &[Value], refunds: &[Value]| {
            let delivery_log = delivery_log(Vec::new());
            SessionEvents::new("cs_1", events, &delivery_log)
                .inconsistencies(&session, refunds)
                .len()
        };
        let both = [authorized.clone(), captured.clone()];
        assert_eq!(inconsistencies(&both, &[]), 0);
        assert!(
            inconsistencies(&both[..1], &[]) > 0,
            "the event of the capture is missing"
        );
        assert!(
            inconsistencies(&[authorized, captured.clone(), captured], &[]) > 0,
            "twice"
        );
        let mut requested = event(3, "refund.requested", "captured");
        requested["refund_id"] = json!("re_1");
        let mut succeeded = event(4, "refund.succeeded", "captured");
        succeeded["refund_id"] = json!("re_1");
        let refund = |status: &str| json!({ "refund_id": "re_1", "status": status });
        let all = [&both[..], &[requested, succeeded]].concat();
        assert_eq!(inconsistencies(&all, &[refund("refund_succeeded")]), 0);
        assert!(inconsistencies(&all, &[refund("refund_failed")]) > 0);
        assert!(inconsistencies(&all[..3], &[refund("refund_succeeded")]) > 0);
        assert!(
            inconsistencies(&all, &[]) > 0,
            "an event of an unknown refund"
        );
    }
}
