//! An order's life as a list of events: what the shop did, saw, and asked for.

use oncharge_client::{RefundDetails, RefundStatus, SessionStatus as Status};

use super::{
    dollars::Dollars,
    moment::Moment,
    order::{Order, Sighting},
    payments::Payment,
    tone::{Tone, tone_of},
};

/// One thing that happened.
pub(super) struct Event {
    pub(super) title: String,
    pub(super) text: String,
    pub(super) at: Moment,
    /// It happened at this time at the latest.
    pub(super) at_latest: bool,
    /// What told it; empty for what the shop did by itself.
    pub(super) source: &'static str,
    pub(super) tone: Tone,
}

/// What a look at the session showed.
const SESSION: &str = "seen by GET of the session";
/// What a look at the refunds showed.
const REFUNDS: &str = "seen by GET of the refunds";

/// All that is known, in the order in which it happened.
pub(super) fn events(order: &Order, payment: Option<&Payment>) -> Vec<Event> {
    let placed = Event {
        title: "Order placed".to_owned(),
        text: format!("{} in the cart", order.total),
        at: order.placed_at,
        at_latest: false,
        source: "",
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
    events.sort_by_key(|event| event.at);
    events
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
        text: seen.reason.clone().unwrap_or(text),
        at: seen.at,
        at_latest: seen.at_latest,
        source: SESSION,
        tone: tone_of(seen.status),
    }
}

/// A refund: that it was asked for, and what became of it.
fn refund(refund: &RefundDetails) -> Vec<Event> {
    let amount = Dollars::cents(refund.amount);
    let event = |title: String, text: String, at: Moment, tone: Tone| Event {
        title,
        text,
        at,
        at_latest: false,
        source: REFUNDS,
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
