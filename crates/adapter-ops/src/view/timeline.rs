//! A session's timeline: every dated entry from all sources, and the next deadline.

use oncharge_domain::{
    id::{Id, Kind},
    refund::{Refund, RefundStatus},
    session::{Status, Step},
    time::Timestamp,
};
use oncharge_ports::operator_queries::{
    HistoryAuditEntry, HistoryEvent, HistoryNotification, HistoryOperation, SessionHistory,
};

use super::{
    format::{DisplayTime, Pill, masked, money, operation_kind, sending},
    tables::attempt_outcome,
};

/// A past or future entry.
pub(super) struct TimelineEntry {
    at: Timestamp,
    pub(super) when: DisplayTime,
    /// The kind of its subject: `Operation`, `Event`.
    pub(super) source: &'static str,
    pub(super) title: String,
    pub(super) pill: Option<Pill>,
    pub(super) detail: String,
    /// The anchor of a table row with details.
    pub(super) anchor: Option<String>,
    pub(super) is_future: bool,
}

impl TimelineEntry {
    fn new(at: Timestamp, source: &'static str, title: impl Into<String>) -> Self {
        Self {
            at,
            when: DisplayTime::new(at, at),
            source,
            title: title.into(),
            pill: None,
            detail: String::new(),
            anchor: None,
            is_future: false,
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

/// All entries, oldest first; entries of the same instant in the order of cause and effect.
pub(super) fn timeline(session_history: &SessionHistory, now: Timestamp) -> Vec<TimelineEntry> {
    let mut entries = vec![created(session_history)];
    entries.extend(session_history.operations.iter().flat_map(operation));
    entries.extend(session_history.refunds.iter().flat_map(refund));
    entries.extend(session_history.notifications.iter().map(notification));
    entries.extend(session_history.events.iter().flat_map(event));
    entries.extend(session_history.audit.iter().map(audit));
    entries.extend(due(session_history));
    entries.sort_by_key(|entry| entry.at);
    for entry in &mut entries {
        entry.when = DisplayTime::new(entry.at, now);
        entry.is_future = entry.at > now;
    }
    entries
}

fn created(session_history: &SessionHistory) -> TimelineEntry {
    let session = &session_history.found.session;
    let amount_text = format!("{}, by the merchant", money(session.amount));
    TimelineEntry::new(session.created_at, "Session", "Created").detail(amount_text)
}

fn due(session_history: &SessionHistory) -> Option<TimelineEntry> {
    let session = &session_history.found.session;
    let due = session.due_at()?;
    let title = match &session.status {
        Status::Pending(pending) if matches!(pending.step, Step::Challenge(_)) => {
            "Challenge times out"
        }
        _ if due == session.expires_at => "Expires",
        _ => "Next scheduled action",
    };
    Some(TimelineEntry::new(due, "Session", title))
}

fn operation(entry: &HistoryOperation) -> Vec<TimelineEntry> {
    let operation = &entry.operation;
    let kind = operation_kind(&operation.kind);
    let detail = match (&operation.failure, operation.is_open()) {
        (Some(failure), _) => masked(failure.as_str()),
        (None, true) => sending(operation.sending).to_owned(),
        (None, false) => money(operation.amount),
    };
    let intent = TimelineEntry::new(operation.created_at, "Operation", &*kind)
        .pill(operation.status)
        .detail(detail)
        .anchor(operation.id);
    let mut entries = vec![intent];
    if operation.last_sent_at > operation.created_at {
        let title = format!("{kind}: last sent");
        let sent = TimelineEntry::new(operation.last_sent_at, "Operation", title);
        entries.push(sent.anchor(operation.id));
    }
    if let Some(next) = entry.next_try_at {
        let title = format!("{kind}: next recovery attempt");
        let tries = format!("attempts so far: {}", entry.tries);
        let next = TimelineEntry::new(next, "Operation", title).detail(tries);
        entries.push(next.anchor(operation.id));
    }
    entries
}

fn refund(refund: &Refund) -> Vec<TimelineEntry> {
    let (amount, name) = (money(refund.amount), masked(refund.reference.as_str()));
    let requested = TimelineEntry::new(refund.created_at, "Refund", "Requested")
        .detail(format!("{amount}, {name}"))
        .anchor(refund.id);
    let detail = match &refund.status {
        RefundStatus::Requested => return vec![requested],
        RefundStatus::Succeeded => amount,
        RefundStatus::Failed(reason) => masked(reason.as_str()),
    };
    let outcome = TimelineEntry::new(refund.updated_at, "Refund", "Outcome")
        .pill(&refund.status)
        .detail(detail)
        .anchor(refund.id);
    vec![requested, outcome]
}

fn notification(entry: &HistoryNotification) -> TimelineEntry {
    TimelineEntry::new(
        entry.received_at,
        "Notification",
        "Received from the processor",
    )
    .pill(entry.status)
    .detail(entry.event_key.as_deref().map(masked).unwrap_or_default())
    .anchor(entry.id)
}

fn event(entry: &HistoryEvent) -> Vec<TimelineEntry> {
    let (event, id) = (&entry.stored.event, entry.stored.id);
    let name = event.kind.name();
    let emitted = TimelineEntry::new(event.at, "Event", name)
        .pill(event.status)
        .detail(format!(
            "number {}, {}",
            event.sequence,
            money(event.amount)
        ))
        .anchor(id);
    let mut entries = vec![emitted];
    let Some(delivery) = &entry.delivery else {
        return entries;
    };
    for attempt in &delivery.attempts {
        let title = format!("{name}: attempt {}", attempt.number);
        let attempted = TimelineEntry::new(attempt.at, "Delivery", title)
            .pill(attempt_outcome(attempt))
            .detail(format!("{} ms", attempt.latency_ms));
        entries.push(attempted.anchor(id));
    }
    if let Some(next) = delivery.next_try_at {
        let title = format!("{name}: next attempt");
        entries.push(TimelineEntry::new(next, "Delivery", title).anchor(id));
    }
    entries
}

fn audit(audited: &HistoryAuditEntry) -> TimelineEntry {
    let entry = TimelineEntry::new(audited.at, "Audit", masked(&audited.action))
        .detail(masked(&audited.detail));
    match audited.operation {
        Some(operation) => entry.anchor(operation),
        None => entry,
    }
}
