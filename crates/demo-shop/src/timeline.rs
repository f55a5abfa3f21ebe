//! An order's timeline: one entry per fact (a status, a refund), with the events about it.
//!
//! Facts are known from retrieval (GET), from webhooks, or from both; webhooks arrive early, late,
//! twice, out of order, or never. So an event is listed under its fact, and separately only if the
//! shop has not seen that fact.

use oncharge_client::{RefundDetails, RefundStatus, SessionStatus as Status};

use crate::{
    dollars::Dollars,
    inbox::ReceivedEvent,
    integration::confirm::Payment,
    moment::Moment,
    order::{Order, StatusRecord},
    status_label::{Tone, tone_of},
};

/// A fact in the timeline.
pub(crate) struct Entry {
    /// The id of its element on the page.
    pub(crate) id: String,
    fact: Fact,
    pub(crate) title: String,
    pub(crate) text: String,
    pub(crate) at: Moment,
    /// It happened at this time or before.
    pub(crate) at_latest: bool,
    pub(crate) tone: Tone,
    /// The source of the fact if there was no webhook about it.
    pub(crate) source: &'static str,
    /// The events about it, by sequence number.
    pub(crate) events: Vec<ReceivedEvent>,
}

/// The subject of an entry or event.
#[derive(PartialEq, Eq)]
enum Fact {
    Placed,
    Status(Status),
    /// A refund, by its id.
    Refund(String),
    /// An event without a known fact, by its id.
    Event(String),
}

/// All facts in chronological order; `received` is sorted by sequence number.
pub(crate) fn entries(
    order: &Order,
    payment: Option<&Payment>,
    received: &[ReceivedEvent],
) -> Vec<Entry> {
    let mut entries = vec![placed(order)];
    let sightings = order.sightings.iter().enumerate();
    entries.extend(sightings.map(|(index, record)| status(order, payment, index, record)));
    // The API lists refunds newest first.
    let refunds = payment.map(|payment| payment.refunds.iter().rev());
    entries.extend(refunds.into_iter().flatten().map(refund));
    let mut unmatched = Vec::new();
    for (index, event) in received.iter().enumerate() {
        let later = received.get(index.saturating_add(1)..).unwrap_or_default();
        let entry = entries
            .iter_mut()
            .find(|entry| entry.matches_event(event, later));
        match entry {
            Some(entry) => entry.add_event(event),
            None => unmatched.push(event),
        }
    }
    for event in unmatched {
        insert_event(&mut entries, event);
    }
    // Times are whole seconds: the stable sort keeps the order within one.
    entries.sort_by_key(|entry| entry.at);
    entries
}

/// Inserts an event about an unknown fact, before the entries with later events.
fn insert_event(entries: &mut Vec<Entry>, event: &ReceivedEvent) {
    let fact = Fact::of(event);
    if let Some(known) = entries.iter_mut().find(|entry| entry.fact == fact)
        && matches!(fact, Fact::Refund(_))
    {
        known.title = title_of(event);
        known.tone = tone_of_event(event);
        return known.add_event(event);
    }
    let entry = Entry {
        id: format!("event-{}", event.id),
        fact,
        title: title_of(event),
        text: String::new(),
        at: event.created_at,
        at_latest: false,
        tone: tone_of_event(event),
        source: "",
        events: vec![event.clone()],
    };
    let is_later = |known: &Entry| {
        let first = known.events.first();
        first.is_some_and(|first| first.sequence > event.sequence)
    };
    let index = entries.iter().position(is_later).unwrap_or(entries.len());
    entries.insert(index, entry);
}

impl Entry {
    /// Whether the event is about this entry. A payment may be refused several times; each refusal
    /// belongs to the last such event before it was seen.
    fn matches_event(&self, event: &ReceivedEvent, later: &[ReceivedEvent]) -> bool {
        if self.fact != Fact::of(event) {
            return false;
        }
        if !matches!(self.fact, Fact::Status(Status::Refused | Status::Error)) {
            return true;
        }
        let mut later = later.iter();
        let next = later.find(|later| later.event == event.event);
        event.created_at <= self.at && next.is_none_or(|next| self.at < next.created_at)
    }

    fn add_event(&mut self, event: &ReceivedEvent) {
        // The fact was recorded late; the event has its exact time.
        if self.at_latest {
            (self.at, self.at_latest) = (event.created_at, false);
        }
        self.events.push(event.clone());
    }
}

impl Fact {
    fn of(event: &ReceivedEvent) -> Self {
        if let Some(refund) = &event.refund_id {
            return Self::Refund(refund.clone());
        }
        match event.event.as_str() {
            "payment.authorized" => Self::Status(Status::Authorized),
            "payment.captured" => Self::Status(Status::Captured),
            "payment.refused" => Self::Status(Status::Refused),
            "payment.cancelled" => Self::Status(Status::Cancelled),
            "payment.expired" => Self::Status(Status::Expired),
            "payment.error" => Self::Status(Status::Error),
            _ => Self::Event(event.id.clone()),
        }
    }
}

impl ReceivedEvent {
    /// The number of deliveries, in words.
    pub(crate) fn deliveries(&self) -> String {
        match self.times {
            1 => "once".to_owned(),
            times => format!("{times} times, first"),
        }
    }
}

fn placed(order: &Order) -> Entry {
    Entry {
        id: "placed".to_owned(),
        fact: Fact::Placed,
        title: "Order placed".to_owned(),
        text: format!("Total: {}.", order.total),
        at: order.placed_at,
        at_latest: false,
        tone: Tone::Plain,
        source: "",
        events: Vec::new(),
    }
}

fn status(order: &Order, payment: Option<&Payment>, index: usize, record: &StatusRecord) -> Entry {
    let session = payment.map(|payment| &payment.session);
    let captured = session.map_or(order.total, |session| {
        Dollars::cents(session.amount_captured)
    });
    let text = match record.status {
        Status::Created => "The checkout session is waiting for the shopper.".to_owned(),
        Status::Pending => "The shopper is paying.".to_owned(),
        Status::Authorized => format!("{} is reserved on the card.", order.total),
        Status::Captured => format!("{captured} was captured."),
        Status::Cancelled => "The reservation was released; nothing was charged.".to_owned(),
        Status::Expired => "The time to pay has run out.".to_owned(),
        Status::Refused | Status::Error | _ => String::new(),
    };
    Entry {
        id: format!("status-{index}"),
        fact: Fact::Status(record.status),
        title: capitalized(record.status.as_str()),
        text: record.reason.clone().unwrap_or(text),
        at: record.at,
        at_latest: record.at_latest,
        tone: tone_of(record.status),
        source: match record.status {
            Status::Created => "From the response to the shop’s POST",
            Status::Pending => "Read by GET; there is no event for it",
            _ => "Read by GET; no webhook received yet",
        },
        events: Vec::new(),
    }
}

fn refund(refund: &RefundDetails) -> Entry {
    let (outcome, text, tone) = match refund.status {
        RefundStatus::Succeeded => ("succeeded", "The money is being returned.", Tone::Good),
        RefundStatus::Failed => ("failed", "", Tone::Bad),
        _ => (
            "requested",
            "Waiting for the PSP’s final result.",
            Tone::Plain,
        ),
    };
    let failure = refund.failure.as_ref();
    Entry {
        id: refund.refund_id.clone(),
        fact: Fact::Refund(refund.refund_id.clone()),
        title: format!("Refund of {} {outcome}", Dollars::cents(refund.amount)),
        text: failure.map_or_else(|| text.to_owned(), |failure| failure.message.clone()),
        at: refund.updated_at.into(),
        at_latest: false,
        tone,
        source: "Read by GET; no webhook received yet",
        events: Vec::new(),
    }
}

/// The heading of an event's own entry.
fn title_of(event: &ReceivedEvent) -> String {
    let amount = Dollars::cents(event.amount);
    match (Fact::of(event), event.event.split_once('.')) {
        (Fact::Status(status), _) => capitalized(status.as_str()),
        (Fact::Refund(_), Some((_, outcome))) => format!("Refund of {amount} {outcome}"),
        (_, Some(("payment", what))) => capitalized(&what.replace('_', " ")),
        (_, Some((what, outcome))) => capitalized(&format!("{what} {outcome}")),
        (_, None) => event.event.clone(),
    }
}

fn tone_of_event(event: &ReceivedEvent) -> Tone {
    match (Fact::of(event), event.event.as_str()) {
        (Fact::Status(status), _) => tone_of(status),
        (_, "refund.succeeded" | "chargeback.won") => Tone::Good,
        (_, name) if name.ends_with("failed") || name.starts_with("chargeback.") => Tone::Bad,
        _ => Tone::Plain,
    }
}

fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

#[cfg(test)]
mod tests;
