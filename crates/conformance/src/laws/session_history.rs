//! The history of a session: complete, and without opening sealed values.

use anyhow::Context;
use oncharge_domain::{
    audit::{AuditAction, AuditEntry},
    id::{EventId, SessionId},
    operation::{Operation, OperationStatus},
    session::{EventKind, Session},
    text::{Contact, Email, Phone},
};
use oncharge_ports::{
    UnitOfWork,
    inbox::{NewNotification, NotificationOutcome, NotificationStatus},
    operator_queries::{
        ContactPresence, MAX_ROWS_PER_KIND, SessionHistory, SessionIdentifier, SessionSearch,
    },
    work_queue::ClaimFilter,
};
use oncharge_testkit::build::reference;

use crate::{
    TestedStore,
    fixture::{
        ALL, Fixture,
        webhooks::{EXPIRED, LONG},
    },
};

async fn history_of(fixture: &Fixture, id: SessionId) -> anyhow::Result<SessionHistory> {
    let session_history = fixture.store.operator_queries.session_history(id).await?;
    session_history.with_context(|| format!("{id} has no history"))
}

/// The history shows whether there is contact data, and not its content.
pub async fn operator_queries_open_no_sealed_values(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let email = Some(Email::parse("shopper@example.com")?);
    let phone = Some(Phone::parse("+15551234567")?);
    for (contact, known) in [
        (
            Contact {
                email: email.clone(),
                phone: phone.clone(),
            },
            (true, true),
        ),
        (Contact { email, phone: None }, (true, false)),
        (Contact { email: None, phone }, (false, true)),
        (Contact::default(), (false, false)),
    ] {
        let session = Session {
            contact,
            ..fixture.build.session(&fixture.merchant)
        };
        fixture.commit(fixture.build.unit(session.clone())).await?;
        let bare = Session {
            contact: Contact::default(),
            ..session.clone()
        };
        let search = SessionSearch {
            identifier: Some(SessionIdentifier::Session(session.id)),
            merchant: None,
            status: None,
            created_after: None,
            created_before: None,
            now: fixture.build.now(),
        };
        let listed = fixture
            .store
            .operator_queries
            .find_sessions(&search, ALL)
            .await?;
        ensure_eq!(listed.len(), 1, "the number of sessions");
        ensure_eq!(listed[0].session, bare, "the session in the list");
        ensure_eq!(
            listed[0].merchant_name,
            fixture.merchant.name,
            "the merchant's name in the list"
        );
        let history = history_of(&fixture, session.id).await?;
        ensure_eq!(history.found, listed[0], "the session in its history");
        let (email, phone) = known;
        ensure_eq!(
            history.contact,
            ContactPresence { email, phone },
            "the presence of contact data"
        );
    }
    Ok(())
}

/// A history contains operations with their tries, refunds, events with their deliveries and
/// attempts, notifications and audit entries: its own session's, and no other's.
pub async fn a_session_history_is_complete(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let nothing = store
        .operator_queries
        .session_history(fixture.build.id())
        .await?;
    ensure_eq!(nothing, None, "the history of an unknown session");
    let unsent = fixture.new_event(&fixture.merchant).await?;
    fixture.endpoint().await?;
    let (session, attempt) = fixture.session_with_attempt().await?;
    let late = fixture.build.now().plus_seconds(3600);
    let claimed = store
        .queue
        .claim_operations(late, &ClaimFilter::up_to(10), EXPIRED)
        .await?;
    ensure_eq!(claimed.len(), 1, "the number of claims");
    fixture.build.advance(1);
    let refunding = refunding(&fixture, &session);
    let written = refunding.session.clone();
    fixture.commit(refunding.clone()).await?;
    let event = refunding.events[0].id;
    fixture.attempt(event, Ok(500)).await?;
    fixture.build.advance(60);
    fixture.attempt(event, Ok(204)).await?;
    let (done, notification) = close_about(&fixture, &session, &attempt).await?;
    let written = fixture.change(&written, done.clone()).await?;
    another_history(&fixture).await?;

    let history = history_of(&fixture, session.id).await?;
    ensure_eq!(history.found.session, written, "the session");
    has_operations(&history, &done, &refunding)?;
    ensure_eq!(history.refunds, refunding.refund.as_slice(), "refunds");
    has_event(&fixture, &history, event).await?;
    has_notification(&history, &notification)?;
    has_audit(&history, &refunding.audit[0])?;
    ensure_eq!(
        history.is_truncated,
        false,
        "whether the history is truncated"
    );
    unsent_event_has_no_delivery(&fixture, unsent).await
}

/// A refund of this session with its event, an audit entry about it and one about something else.
fn refunding(fixture: &Fixture, session: &Session) -> UnitOfWork {
    let (refund, operation) = fixture.build.refund(session, 100);
    let mut unit = fixture
        .build
        .unit_with_event(session, EventKind::RefundRequested);
    let mut entry = fixture.build.audit(AuditAction::UnexpectedFact);
    entry.session = Some(session.id);
    entry.operation = Some(operation.id);
    unit.audit = vec![entry, fixture.build.audit(AuditAction::KeyCreated)];
    unit.operations = vec![fixture.build.intent(operation)];
    unit.refund = Some(refund);
    unit
}

/// Checks the attempt, claimed once and done, and the waiting refund.
fn has_operations(
    session_history: &SessionHistory,
    done: &Operation,
    refunding: &UnitOfWork,
) -> anyhow::Result<()> {
    let waiting = &refunding.operations[0];
    let operations: Vec<_> = session_history
        .operations
        .iter()
        .map(|it| &it.operation)
        .collect();
    ensure_eq!(operations, [done, &waiting.operation], "operations");
    let seen = session_history.operations.iter();
    let queue: Vec<_> = seen.map(|it| (it.tries, it.next_try_at)).collect();
    let due = Some(waiting.next_try_at);
    ensure_eq!(
        queue,
        [(1, None), (0, due)],
        "the tries and the next due time"
    );
    Ok(())
}

/// Checks the event, delivered at the second attempt.
async fn has_event(
    fixture: &Fixture,
    session_history: &SessionHistory,
    event: EventId,
) -> anyhow::Result<()> {
    ensure_eq!(session_history.events.len(), 1, "the number of events");
    let seen = &session_history.events[0];
    ensure_eq!(seen.stored.id, event, "the id of the event");
    ensure_eq!(
        seen.stored.event.kind,
        EventKind::RefundRequested,
        "the kind of the event"
    );
    let seen = seen.delivery.as_ref().context("a delivery")?;
    ensure_eq!(
        seen.delivery,
        fixture.delivery(event).await?,
        "the delivery of the event"
    );
    ensure_eq!(seen.next_try_at, None, "the next due time");
    let attempts = fixture.store.webhooks.attempts(event).await?;
    ensure_eq!(seen.attempts, attempts, "the attempts of the delivery");
    ensure_eq!(seen.attempts.len(), 2, "the number of attempts");
    Ok(())
}

fn has_notification(
    session_history: &SessionHistory,
    wanted: &NewNotification,
) -> anyhow::Result<()> {
    ensure_eq!(
        session_history.notifications.len(),
        1,
        "the number of notifications"
    );
    let seen = &session_history.notifications[0];
    ensure_eq!(seen.id, wanted.id, "the id of the notification");
    ensure_eq!(seen.event_key, wanted.event_key, "the event key");
    ensure_eq!(seen.account, wanted.account, "the account");
    ensure_eq!(
        seen.status,
        NotificationStatus::Mismatched,
        "the status of the notification"
    );
    ensure_eq!(seen.received_at, wanted.received_at, "the time of receipt");
    ensure_eq!(seen.tries, 1, "the number of claims");
    Ok(())
}

fn has_audit(session_history: &SessionHistory, wanted: &AuditEntry) -> anyhow::Result<()> {
    ensure_eq!(
        session_history.audit.len(),
        1,
        "the number of audit entries"
    );
    let seen = &session_history.audit[0];
    ensure_eq!(seen.at, wanted.at, "the time of the audit entry");
    ensure_eq!(seen.action, "unexpected_fact", "the action");
    ensure_eq!(seen.operation, wanted.operation, "the operation");
    ensure_eq!(seen.detail, wanted.detail, "the detail");
    Ok(())
}

/// Closes a notification as being about this attempt; returns the attempt as it is afterwards.
async fn close_about(
    fixture: &Fixture,
    session: &Session,
    attempt: &Operation,
) -> anyhow::Result<(Operation, NewNotification)> {
    let notification = fixture.receive_notification("evt-about").await?;
    let lease = fixture
        .claim_notification(notification.id, fixture.build.now(), LONG)
        .await?;
    let outcome = NotificationOutcome {
        operation: Some(attempt.id),
        session: Some(session.id),
        ..fixture
            .build
            .notification_outcome(lease, NotificationStatus::Mismatched)
    };
    fixture.store.inbox.close(&outcome).await?;
    let done = Operation {
        status: OperationStatus::Succeeded,
        reference: Some(reference("psp_done")),
        ..attempt.clone()
    };
    Ok((done, notification))
}

/// Creates another session with something of each kind.
async fn another_history(fixture: &Fixture) -> anyhow::Result<()> {
    let (session, _) = fixture.session_with_attempt().await?;
    let mut unit = fixture
        .build
        .unit_with_event(&session, EventKind::PaymentError);
    let mut entry = fixture.build.audit(AuditAction::UnexpectedFact);
    entry.session = Some(session.id);
    unit.audit = vec![entry];
    fixture.commit(unit).await?;
    fixture
        .closed_notification("evt-other", NotificationStatus::Irrelevant)
        .await?;
    Ok(())
}

async fn unsent_event_has_no_delivery(fixture: &Fixture, event: EventId) -> anyhow::Result<()> {
    let stored = fixture
        .store
        .webhooks
        .event(fixture.merchant.id, event)
        .await?;
    let session = stored.context("the event")?.event.session;
    let history = history_of(fixture, session).await?;
    ensure_eq!(history.events.len(), 1, "the number of events");
    ensure_eq!(
        history.events[0].delivery,
        None,
        "the delivery of an event without an endpoint"
    );
    Ok(())
}

/// At most the limit of rows per kind, the oldest ones, with a flag that the history is truncated.
pub async fn a_long_session_history_is_truncated(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let session = fixture.session().await?;
    let entry = |number: u32| {
        let mut entry = fixture.build.audit(AuditAction::UnexpectedFact);
        entry.session = Some(session.id);
        entry.detail = number.to_string();
        entry
    };
    let mut unit = fixture.build.next_unit(&session);
    unit.audit = (0..MAX_ROWS_PER_KIND).map(entry).collect();
    let written = unit.session.clone();
    fixture.commit(unit).await?;
    ensure_eq!(
        history_of(&fixture, session.id).await?.is_truncated,
        false,
        "whether a history at the limit is truncated"
    );
    fixture.build.advance(1);
    let mut unit = fixture.build.next_unit(&written);
    unit.audit = vec![entry(MAX_ROWS_PER_KIND)];
    fixture.commit(unit).await?;
    let history = history_of(&fixture, session.id).await?;
    ensure_eq!(
        history.is_truncated,
        true,
        "whether a history beyond the limit is truncated"
    );
    let numbers: Vec<String> = history
        .audit
        .iter()
        .map(|entry| entry.detail.clone())
        .collect();
    let wanted: Vec<String> = (0..MAX_ROWS_PER_KIND)
        .map(|number| number.to_string())
        .collect();
    ensure_eq!(numbers, wanted, "the sequence numbers of the events");
    Ok(())
}
