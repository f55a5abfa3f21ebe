//! A session's story as one line: everything that has a time, from all sources, and what comes next.

use oncharge_domain::{
    id::{Id, Kind},
    refund::{Refund, RefundStatus},
    session::{Status, Step},
    time::Timestamp,
};
use oncharge_ports::oversight::{SeenEntry, SeenEvent, SeenNotification, SeenOperation, Story};

use super::{
    show::{Pill, When, money, operation_kind, sending, words},
    tables::attempt_outcome,
};

/// Something that happened, or will.
pub(super) struct Moment {
    at: Timestamp,
    pub(super) when: When,
    /// What it is about: `Operation`, `Event`.
    pub(super) source: &'static str,
    pub(super) title: String,
    pub(super) pill: Option<Pill>,
    pub(super) detail: String,
    /// The row of a table that says more.
    pub(super) anchor: Option<String>,
    /// Whether it lies ahead.
    pub(super) is_ahead: bool,
}

impl Moment {
    fn new(at: Timestamp, source: &'static str, title: impl Into<String>) -> Self {
        Self {
            at,
            when: When::new(at, at),
            source,
            title: title.into(),
            pill: None,
            detail: String::new(),
            anchor: None,
            is_ahead: false,
        }
    }

    fn pill(mut self, pill: impl Into<Pill>) -> Self {
        self.pill = Some(pill.into());
        self
    }

    fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = detail.into();
        self
    }

    fn anchor<K: Kind>(mut self, id: Id<K>) -> Self {
        self.anchor = Some(id.to_string());
        self
    }
}

/// All of it, the oldest first; what happened at the same instant in the order of cause and effect.
pub(super) fn timeline(story: &Story, now: Timestamp) -> Vec<Moment> {
    let mut line = vec![created(story)];
    line.extend(story.operations.iter().flat_map(operation));
    line.extend(story.refunds.iter().flat_map(refund));
    line.extend(story.notifications.iter().map(notification));
    line.extend(story.events.iter().flat_map(event));
    line.extend(story.audit.iter().map(audit));
    line.extend(due(story));
    line.sort_by_key(|moment| moment.at);
    for moment in &mut line {
        moment.when = When::new(moment.at, now);
        moment.is_ahead = moment.at > now;
    }
    line
}

fn created(story: &Story) -> Moment {
    let session = &story.found.session;
    let asked = format!("{}, by the merchant", money(session.amount));
    Moment::new(session.created_at, "Session", "Created").detail(asked)
}

fn due(story: &Story) -> Option<Moment> {
    let session = &story.found.session;
    let due = session.due_at()?;
    let title = match &session.status {
        Status::Pending(pending) if matches!(pending.step, Step::Challenge(_)) => {
            "The challenge is cancelled"
        }
        _ if due == session.expires_at => "Expires",
        _ => "The clock looks at it again",
    };
    Some(Moment::new(due, "Session", title))
}

fn operation(seen: &SeenOperation) -> Vec<Moment> {
    let operation = &seen.operation;
    let kind = operation_kind(&operation.kind);
    let detail = match (&operation.failure, operation.is_open()) {
        (Some(failure), _) => words(failure.as_str()),
        (None, true) => sending(operation.sending).to_owned(),
        (None, false) => money(operation.amount),
    };
    let intent = Moment::new(operation.created_at, "Operation", &*kind)
        .pill(operation.status)
        .detail(detail)
        .anchor(operation.id);
    let mut line = vec![intent];
    if operation.last_sent_at > operation.created_at {
        let title = format!("{kind}: last sent");
        let sent = Moment::new(operation.last_sent_at, "Operation", title);
        line.push(sent.anchor(operation.id));
    }
    if let Some(next) = seen.next_try_at {
        let title = format!("{kind}: recovery takes it up");
        let tries = format!("tries so far: {}", seen.tries);
        let next = Moment::new(next, "Operation", title).detail(tries);
        line.push(next.anchor(operation.id));
    }
    line
}

fn refund(refund: &Refund) -> Vec<Moment> {
    let (amount, name) = (money(refund.amount), words(refund.reference.as_str()));
    let ordered = Moment::new(refund.created_at, "Refund", "Ordered")
        .detail(format!("{amount}, {name}"))
        .anchor(refund.id);
    let detail = match &refund.status {
        RefundStatus::Requested => return vec![ordered],
        RefundStatus::Succeeded => amount,
        RefundStatus::Failed(reason) => words(reason.as_str()),
    };
    let outcome = Moment::new(refund.updated_at, "Refund", "Outcome")
        .pill(&refund.status)
        .detail(detail)
        .anchor(refund.id);
    vec![ordered, outcome]
}

fn notification(seen: &SeenNotification) -> Moment {
    Moment::new(
        seen.received_at,
        "Notification",
        "Received from the processor",
    )
    .pill(seen.status)
    .detail(seen.event_key.as_deref().map(words).unwrap_or_default())
    .anchor(seen.id)
}

fn event(seen: &SeenEvent) -> Vec<Moment> {
    let (event, id) = (&seen.stored.event, seen.stored.id);
    let name = event.kind.name();
    let told = Moment::new(event.at, "Event", name)
        .pill(event.status)
        .detail(format!(
            "number {}, {}",
            event.sequence,
            money(event.amount)
        ))
        .anchor(id);
    let mut line = vec![told];
    let Some(delivery) = &seen.delivery else {
        return line;
    };
    for attempt in &delivery.attempts {
        let title = format!("{name}: attempt {}", attempt.number);
        let made = Moment::new(attempt.at, "Delivery", title)
            .pill(attempt_outcome(attempt))
            .detail(format!("{} ms", attempt.latency_ms));
        line.push(made.anchor(id));
    }
    if let Some(next) = delivery.next_try_at {
        let title = format!("{name}: next attempt");
        line.push(Moment::new(next, "Delivery", title).anchor(id));
    }
    line
}

fn audit(entry: &SeenEntry) -> Moment {
    let moment = Moment::new(entry.at, "Audit", words(&entry.action)).detail(words(&entry.detail));
    match entry.operation {
        Some(operation) => moment.anchor(operation),
        None => moment,
    }
}
