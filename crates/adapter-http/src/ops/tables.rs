//! The tables under a session's time line: operations, refunds, events, attempts, notifications.

use oncharge_domain::{
    operation::Operation, refund::RefundStatus, time::Timestamp, webhook::Attempt,
};
use oncharge_ports::oversight::{SeenEvent, SeenNotification, SeenOperation, Story};

use super::show::{Pill, When, money, operation_kind, sending, words};

/// How many lines of an answer are shown.
const LINES: usize = 8;

pub(super) struct OperationRow {
    pub(super) id: String,
    pub(super) kind: String,
    /// The card of an attempt to pay, where the PSP reports it.
    pub(super) card: Option<String>,
    pub(super) amount: String,
    pub(super) status: Pill,
    /// What is known of its way while it is open.
    pub(super) sending: Option<&'static str>,
    pub(super) tries: u32,
    pub(super) created: When,
    pub(super) last_sent: When,
    pub(super) next: Option<When>,
    pub(super) reference: Option<String>,
    pub(super) failure: Option<String>,
}

pub(super) fn operation_rows(story: &Story, now: Timestamp) -> Vec<OperationRow> {
    let row = |seen: &SeenOperation| {
        let operation = &seen.operation;
        OperationRow {
            id: operation.id.to_string(),
            kind: operation_kind(&operation.kind),
            card: card_of(story, operation),
            amount: money(operation.amount),
            status: operation.status.into(),
            sending: operation.is_open().then(|| sending(operation.sending)),
            tries: seen.tries,
            created: When::new(operation.created_at, now),
            last_sent: When::new(operation.last_sent_at, now),
            next: seen.next_try_at.map(|at| When::new(at, now)),
            reference: operation.reference.as_ref().map(|it| words(it.as_str())),
            failure: operation.failure.as_ref().map(|it| words(it.as_str())),
        }
    };
    story.operations.iter().map(row).collect()
}

fn card_of(story: &Story, operation: &Operation) -> Option<String> {
    let card = story.found.session.attempt(operation.id)?.card.as_ref()?;
    let last4 = card.last4().map(|last4| format!("•••• {last4}"));
    let parts = [card.brand().map(words), last4];
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
    pub(super) created: When,
    pub(super) updated: When,
}

pub(super) fn refund_rows(story: &Story, now: Timestamp) -> Vec<RefundRow> {
    let row = |refund: &oncharge_domain::refund::Refund| RefundRow {
        id: refund.id.to_string(),
        amount: money(refund.amount),
        status: (&refund.status).into(),
        reference: words(refund.reference.as_str()),
        psp_reference: refund.psp_reference.as_ref().map(|it| words(it.as_str())),
        failure: match &refund.status {
            RefundStatus::Failed(reason) => Some(words(reason.as_str())),
            RefundStatus::Requested | RefundStatus::Succeeded => None,
        },
        operation: refund.operation.to_string(),
        created: When::new(refund.created_at, now),
        updated: When::new(refund.updated_at, now),
    };
    story.refunds.iter().map(row).collect()
}

pub(super) struct EventRow {
    pub(super) id: String,
    pub(super) sequence: u32,
    pub(super) kind: &'static str,
    pub(super) status: Pill,
    pub(super) amount: String,
    pub(super) at: When,
    pub(super) delivery: Option<DeliveryCells>,
}

pub(super) struct DeliveryCells {
    pub(super) state: Pill,
    pub(super) attempts: u32,
    pub(super) url: String,
    pub(super) next: Option<When>,
}

pub(super) fn event_rows(story: &Story, now: Timestamp) -> Vec<EventRow> {
    let row = |seen: &SeenEvent| {
        let event = &seen.stored.event;
        let delivery = seen.delivery.as_ref().map(|seen| DeliveryCells {
            state: seen.delivery.state.into(),
            attempts: seen.delivery.attempts,
            // A query may hold what lets one in at the merchant's.
            url: words(seen.delivery.url.without_query()),
            next: seen.next_try_at.map(|at| When::new(at, now)),
        });
        EventRow {
            id: seen.stored.id.to_string(),
            sequence: event.sequence,
            kind: event.kind.name(),
            status: event.status.into(),
            amount: money(event.amount),
            at: When::new(event.at, now),
            delivery,
        }
    };
    story.events.iter().map(row).collect()
}

pub(super) struct AttemptRow {
    pub(super) sequence: u32,
    pub(super) kind: &'static str,
    pub(super) number: u32,
    pub(super) at: When,
    pub(super) outcome: Pill,
    pub(super) latency: String,
    pub(super) response: String,
}

pub(super) fn attempt_rows(story: &Story, now: Timestamp) -> Vec<AttemptRow> {
    let of_event = |seen: &SeenEvent| {
        let (sequence, kind) = (seen.stored.event.sequence, seen.stored.event.kind.name());
        let attempts = seen.delivery.iter().flat_map(|seen| seen.attempts.iter());
        let row = |attempt: &Attempt| AttemptRow {
            sequence,
            kind,
            number: attempt.number,
            at: When::new(attempt.at, now),
            outcome: attempt_outcome(attempt),
            latency: format!("{} ms", attempt.latency_ms),
            response: first_lines(&attempt.response),
        };
        attempts.map(row).collect::<Vec<_>>()
    };
    story.events.iter().flat_map(of_event).collect()
}

/// The status of the answer, or why there was none.
pub(super) fn attempt_outcome(attempt: &Attempt) -> Pill {
    let text = match (attempt.status, attempt.error) {
        (Some(status), _) => status.to_string(),
        (None, Some(error)) => error.name().to_owned(),
        (None, None) => "no answer".to_owned(),
    };
    if attempt.is_success() {
        Pill::good(&text)
    } else {
        Pill::bad(&text)
    }
}

/// The beginning of an answer, for people.
fn first_lines(response: &str) -> String {
    let lines: Vec<&str> = response.lines().take(LINES).collect();
    words(lines.join("\n").trim_end())
}

pub(super) struct NotificationRow {
    pub(super) id: String,
    pub(super) event_key: Option<String>,
    pub(super) account: String,
    pub(super) status: Pill,
    pub(super) received: When,
    pub(super) tries: u32,
}

pub(super) fn notification_rows(story: &Story, now: Timestamp) -> Vec<NotificationRow> {
    let row = |seen: &SeenNotification| NotificationRow {
        id: seen.id.to_string(),
        event_key: seen.event_key.as_deref().map(words),
        account: format!("{} / {}", seen.account.connector(), seen.account.account()),
        status: seen.status.into(),
        received: When::new(seen.received_at, now),
        tries: seen.tries,
    };
    story.notifications.iter().map(row).collect()
}
