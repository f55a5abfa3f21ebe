//! The tables below a session's timeline: operations, refunds, events, attempts, notifications.

use oncharge_domain::{
    operation::Operation, refund::RefundStatus, time::Timestamp, webhook::DeliveryAttempt,
};
use oncharge_ports::operator_queries::{
    HistoryEvent, HistoryNotification, HistoryOperation, SessionHistory,
};

use super::format::{DisplayTime, Pill, masked, money, operation_kind, sending};

/// Maximum number of response lines shown.
const MAX_RESPONSE_LINES: usize = 8;

pub(super) struct OperationRow {
    pub(super) id: String,
    pub(super) kind: String,
    /// The card of a payment attempt, if the PSP reports it.
    pub(super) card: Option<String>,
    pub(super) amount: String,
    pub(super) status: Pill,
    /// The send state while the operation is open.
    pub(super) sending: Option<&'static str>,
    pub(super) tries: u32,
    pub(super) created: DisplayTime,
    pub(super) last_sent: DisplayTime,
    pub(super) next: Option<DisplayTime>,
    pub(super) reference: Option<String>,
    pub(super) failure: Option<String>,
}

pub(super) fn operation_rows(
    session_history: &SessionHistory,
    now: Timestamp,
) -> Vec<OperationRow> {
    let row = |entry: &HistoryOperation| {
        let operation = &entry.operation;
        OperationRow {
            id: operation.id.to_string(),
            kind: operation_kind(&operation.kind),
            card: card_of(session_history, operation),
            amount: money(operation.amount),
            status: operation.status.into(),
            sending: operation.is_open().then(|| sending(operation.sending)),
            tries: entry.tries,
            created: DisplayTime::new(operation.created_at, now),
            last_sent: DisplayTime::new(operation.last_sent_at, now),
            next: entry.next_try_at.map(|at| DisplayTime::new(at, now)),
            reference: operation.reference.as_ref().map(|it| masked(it.as_str())),
            failure: operation.failure.as_ref().map(|it| masked(it.as_str())),
        }
    };
    session_history.operations.iter().map(row).collect()
}

fn card_of(session_history: &SessionHistory, operation: &Operation) -> Option<String> {
    let card = session_history
        .found
        .session
        .attempt(operation.id)?
        .card
        .as_ref()?;
    let last4 = card.last4().map(|last4| format!("•••• {last4}"));
    let parts = [card.brand().map(masked), last4];
    Some(parts.into_iter().flatten().collect::<Vec<_>>().join(" "))
}

pub(super) struct RefundRow {
    pub(super) id: String,
    pub(super) amount: String,
    pub(super) status: Pill,
    pub(super) reference: String,
    pub(super) psp_reference: Option<String>,
    pub(super) failure: Option<String>,
    pub(super) operation: String,
    pub(super) created: DisplayTime,
    pub(super) updated: DisplayTime,
}

pub(super) fn refund_rows(session_history: &SessionHistory, now: Timestamp) -> Vec<RefundRow> {
    let row = |refund: &oncharge_domain::refund::Refund| RefundRow {
        id: refund.id.to_string(),
        amount: money(refund.amount),
        status: (&refund.status).into(),
        reference: masked(refund.reference.as_str()),
        psp_reference: refund.psp_reference.as_ref().map(|it| masked(it.as_str())),
        failure: match &refund.status {
            RefundStatus::Failed(reason) => Some(masked(reason.as_str())),
            RefundStatus::Requested | RefundStatus::Succeeded => None,
        },
        operation: refund.operation.to_string(),
        created: DisplayTime::new(refund.created_at, now),
        updated: DisplayTime::new(refund.updated_at, now),
    };
    session_history.refunds.iter().map(row).collect()
}

pub(super) struct EventRow {
    pub(super) id: String,
    pub(super) sequence: u32,
    pub(super) kind: &'static str,
    pub(super) status: Pill,
    pub(super) amount: String,
    pub(super) at: DisplayTime,
    pub(super) delivery: Option<DeliveryColumns>,
}

pub(super) struct DeliveryColumns {
    pub(super) state: Pill,
    pub(super) attempts: u32,
    pub(super) url: String,
    pub(super) next: Option<DisplayTime>,
}

pub(super) fn event_rows(session_history: &SessionHistory, now: Timestamp) -> Vec<EventRow> {
    let row = |entry: &HistoryEvent| {
        let event = &entry.stored.event;
        let delivery = entry.delivery.as_ref().map(|entry| DeliveryColumns {
            state: entry.delivery.state.into(),
            attempts: entry.delivery.attempts,
            // A query may contain credentials.
            url: masked(entry.delivery.url.without_query()),
            next: entry.next_try_at.map(|at| DisplayTime::new(at, now)),
        });
        EventRow {
            id: entry.stored.id.to_string(),
            sequence: event.sequence,
            kind: event.kind.name(),
            status: event.status.into(),
            amount: money(event.amount),
            at: DisplayTime::new(event.at, now),
            delivery,
        }
    };
    session_history.events.iter().map(row).collect()
}

pub(super) struct AttemptRow {
    pub(super) sequence: u32,
    pub(super) kind: &'static str,
    pub(super) number: u32,
    pub(super) at: DisplayTime,
    pub(super) outcome: Pill,
    pub(super) latency: String,
    pub(super) response: String,
}

pub(super) fn attempt_rows(session_history: &SessionHistory, now: Timestamp) -> Vec<AttemptRow> {
    let of_event = |entry: &HistoryEvent| {
        let (sequence, kind) = (entry.stored.event.sequence, entry.stored.event.kind.name());
        let attempts = entry
            .delivery
            .iter()
            .flat_map(|entry| entry.attempts.iter());
        let row = |attempt: &DeliveryAttempt| AttemptRow {
            sequence,
            kind,
            number: attempt.number,
            at: DisplayTime::new(attempt.at, now),
            outcome: attempt_outcome(attempt),
            latency: format!("{} ms", attempt.latency_ms),
            response: first_lines(&attempt.response),
        };
        attempts.map(row).collect::<Vec<_>>()
    };
    session_history.events.iter().flat_map(of_event).collect()
}

/// The status of the response, or why there was none.
pub(super) fn attempt_outcome(attempt: &DeliveryAttempt) -> Pill {
    let text = match (attempt.status, attempt.error) {
        (Some(status), _) => status.to_string(),
        (None, Some(error)) => error.name().to_owned(),
        (None, None) => "no response".to_owned(),
    };
    if attempt.is_success() {
        Pill::good(&text)
    } else {
        Pill::bad(&text)
    }
}

/// The first lines of a response.
fn first_lines(response: &str) -> String {
    let lines: Vec<&str> = response.lines().take(MAX_RESPONSE_LINES).collect();
    masked(lines.join("\n").trim_end())
}

pub(super) struct NotificationRow {
    pub(super) id: String,
    pub(super) event_key: Option<String>,
    pub(super) account: String,
    pub(super) status: Pill,
    pub(super) received: DisplayTime,
    pub(super) tries: u32,
}

pub(super) fn notification_rows(
    session_history: &SessionHistory,
    now: Timestamp,
) -> Vec<NotificationRow> {
    let row = |entry: &HistoryNotification| NotificationRow {
        id: entry.id.to_string(),
        event_key: entry.event_key.as_deref().map(masked),
        account: format!(
            "{} / {}",
            entry.account.connector(),
            entry.account.account()
        ),
        status: entry.status.into(),
        received: DisplayTime::new(entry.received_at, now),
        tries: entry.tries,
    };
    session_history.notifications.iter().map(row).collect()
}
