//! An order's life as a list of events: what the shop did, saw, and asked for.

use oncharge_client::{RefundDetails, RefundStatus, SessionStatus as Status};

use super::{
    dollars::Dollars,
    inbox::Received,
    moment::Moment,
    order::{Order, Sighting},
    payments::Payment,
    tone::{Tone, tone_of},
};

/// One thing that happened.
pub(super) struct Event {
    pub(super) title: String,
    /// The title is a name of the API's.
    pub(super) is_name: bool,
    pub(super) text: String,
    pub(super) at: Moment,
    /// It happened at this time at the latest.
    pub(super) at_latest: bool,
    /// What told it; empty for what the shop did by itself.
    pub(super) source: &'static str,
    /// When that came, where it came by itself and not at once.
    pub(super) told_at: Option<Moment>,
    pub(super) tone: Tone,
}

/// What a look at the session showed.
const SESSION: &str = "seen by GET of the session";
/// What a look at the refunds showed.
const REFUNDS: &str = "seen by GET of the refunds";

/// What OnCharge told, followed by when it did.
const WEBHOOK: &str = "told by webhook";

/// All that is known, in the order in which it happened.
pub(super) fn events(
    order: &Order,
    payment: Option<&Payment>,
    received: &[Received],
) -> Vec<Event> {
    let placed = Event {
        title: "Order placed".to_owned(),
        is_name: false,
        text: format!("{} in the cart", order.total),
        at: order.placed_at,
        at_latest: false,
        source: "",
        told_at: None,
        tone: Tone::Plain,
    };
    let mut events = vec![placed];
    events.extend(
        order
            .sightings
            .iter()
            .map(|seen| status(order, payment, seen)),
    );
    // The API lists the newest first.
    let refunds = payment
        .map(|payment| payment.refunds.as_slice())
        .unwrap_or_default();
    events.extend(refunds.iter().rev().flat_map(refund));
    events.extend(received.iter().map(webhook));
    // What is told of comes before the webhook that tells of it; those keep their sequence.
    events.sort_by_key(|event| event.at);
    events
}

/// A webhook, at the time of what it tells of.
fn webhook(received: &Received) -> Event {
    let times = match received.times {
        1 => "once".to_owned(),
        times => format!("{times} times"),
    };
    Event {
        title: received.event.clone(),
        is_name: true,
        text: format!(
            "Event {} of this payment, delivered {times}. Its webhook-signature verified.",
            received.sequence,
        ),
        at: received.created_at,
        at_latest: false,
        source: WEBHOOK,
        told_at: Some(received.came_at).filter(|at| *at != received.created_at),
        tone: Tone::Plain,
    }
}

fn status(order: &Order, payment: Option<&Payment>, seen: &Sighting) -> Event {
    let session = payment.map(|payment| &payment.session);
    let captured = session.map_or(order.total, |session| {
        Dollars::cents(session.amount_captured)
    });
    let text = match seen.status {
        Status::Created => "The checkout session waits for the shopper.".to_owned(),
        Status::Pending => "The shopper is paying.".to_owned(),
        Status::Authorized => format!("{} is held on the card.", order.total),
        Status::Captured => format!("{captured} was taken."),
        Status::Cancelled => "The hold was released; nothing was taken.".to_owned(),
        Status::Expired => "The time to pay ran out.".to_owned(),
        Status::Refused | Status::Error | _ => String::new(),
    };
    Event {
        title: title(seen.status.as_str()),
        is_name: false,
        text: seen.reason.clone().unwrap_or(text),
        at: seen.at,
        at_latest: seen.at_latest,
        source: SESSION,
        told_at: None,
        tone: tone_of(seen.status),
    }
}

/// A refund: that it was asked for, and what became of it.
fn refund(refund: &RefundDetails) -> Vec<Event> {
    let amount = Dollars::cents(refund.amount);
    let event = |title: String, text: String, at: Moment, tone: Tone| Event {
        title,
        is_name: false,
        text,
        at,
        at_latest: false,
        source: REFUNDS,
        told_at: None,
        tone,
    };
    let asked = format!("Refund of {amount} requested");
    let mut events = vec![event(
        asked,
        String::new(),
        refund.created_at.into(),
        Tone::Plain,
    )];
    let reason = refund
        .failure
        .as_ref()
        .map(|failure| failure.message.clone());
    let at = refund.updated_at.into();
    match refund.status {
        RefundStatus::Succeeded => {
            let text = "The money is on its way back to the card.".to_owned();
            events.push(event(
                format!("Refund of {amount} succeeded"),
                text,
                at,
                Tone::Good,
            ));
        }
        RefundStatus::Failed => {
            let text = reason.unwrap_or_default();
            events.push(event(
                format!("Refund of {amount} failed"),
                text,
                at,
                Tone::Bad,
            ));
        }
        _ => {}
    }
    events
}

/// A status as a heading.
fn title(status: &str) -> String {
    let mut letters = status.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::shop::{examples::session, sightings};

    fn received(event: &str, sequence: u32, (created_at, times): (&str, u32)) -> Received {
        let received = json!({
            "id": format!("evt_{sequence}"), "event": event, "session_id": "cs_1",
            "sequence": sequence, "status": "captured", "amount": 1000, "currency": "USD",
            "created_at": created_at, "came_at": "2026-11-22T12:03:00Z", "times": times,
        });
        serde_json::from_value(received).unwrap()
    }

    #[test]
    fn a_webhook_stands_behind_what_it_tells_of_in_the_order_of_its_number() {
        let placed = serde_json::from_value(json!("2026-11-22T11:59:00Z")).unwrap();
        let mut order = Order::new(7, placed, Vec::new());
        sightings::enter(&mut order, &session("captured", &json!({})));
        let at = "2026-11-22T12:01:00Z";
        let received = [
            received("payment.authorized", 1, (at, 3)),
            received("payment.captured", 2, (at, 1)),
        ];
        let events = events(&order, None, &received);
        let titles: Vec<_> = events.iter().map(|event| event.title.as_str()).collect();
        let expected = [
            "Order placed",
            "Created",
            "Authorized",
            "Captured",
            "payment.authorized",
            "payment.captured",
        ];
        assert_eq!(titles, expected);
        let text = &events[4].text;
        let words = "Event 1 of this payment, delivered 3 times. Its webhook-signature verified.";
        assert_eq!(text, words);
        assert_eq!(events[5].told_at.unwrap().rfc3339(), "2026-11-22T12:03:00Z");
    }
}
