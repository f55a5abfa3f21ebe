//! A session's story: whole, and nothing sealed in it.

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
    inbox::{NewNotification, NotificationStatus, Settled},
    oversight::{KnownContact, MOST_OF_EACH, Named, Search, Story},
    work_queue::WantedItems,
};
use oncharge_testkit::build::reference;

use crate::{
    Store,
    world::{
        ALL, World,
        webhooks::{LONG, OVER},
    },
};

async fn story_of(world: &World, id: SessionId) -> anyhow::Result<Story> {
    let story = world.store.oversight.story(id).await?;
    story.with_context(|| format!("{id} has no story"))
}

/// Contact data is known to be there, and not what it is.
pub async fn oversight_opens_nothing_sealed(store: &Store) -> anyhow::Result<()> {
    let world = World::new(store).await?;
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
            ..world.build.session(&world.merchant)
        };
        world.commit(world.build.unit(session.clone())).await?;
        let bare = Session {
            contact: Contact::default(),
            ..session.clone()
        };
        let search = Search {
            named: Some(Named::Session(session.id)),
            merchant: None,
            status: None,
            created_after: None,
            created_before: None,
            now: world.build.now(),
        };
        let listed = world.store.oversight.find_sessions(&search, ALL).await?;
        same!(listed.len(), 1, "sessions");
        same!(listed[0].session, bare, "as it is listed");
        same!(listed[0].merchant_name, world.merchant.name, "its merchant");
        let told = story_of(&world, session.id).await?;
        same!(told.found, listed[0], "as its story shows it");
        let (email, phone) = known;
        same!(told.contact, KnownContact { email, phone }, "what is known");
    }
    Ok(())
}

/// Operations with their tries, refunds, events with their deliveries and attempts, notifications
/// and audit entries: its own, and no other session's.
pub async fn a_story_is_whole(store: &Store) -> anyhow::Result<()> {
    let world = World::new(store).await?;
    let nothing = store.oversight.story(world.build.id()).await?;
    same!(nothing, None, "the story of nothing");
    let unsent = world.told(&world.merchant).await?;
    world.endpoint().await?;
    let (session, attempt) = world.paying().await?;
    let late = world.build.now().plus_seconds(3600);
    let claimed = store
        .queue
        .claim_operations(late, &WantedItems::up_to(10), OVER)
        .await?;
    same!(claimed.len(), 1, "claims");
    world.build.advance(1);
    let refunding = refunding(&world, &session);
    let written = refunding.session.clone();
    world.commit(refunding.clone()).await?;
    let event = refunding.events[0].id;
    world.attempt(event, Ok(500)).await?;
    world.build.advance(60);
    world.attempt(event, Ok(204)).await?;
    let (done, notification) = settle_about(&world, &session, &attempt).await?;
    let written = world.change(&written, done.clone()).await?;
    another_story(&world).await?;

    let told = story_of(&world, session.id).await?;
    same!(told.found.session, written, "the session");
    has_operations(&told, &done, &refunding)?;
    same!(told.refunds, refunding.refund.as_slice(), "refunds");
    has_event(&world, &told, event).await?;
    has_notification(&told, &notification)?;
    has_audit(&told, &refunding.audit[0])?;
    same!(told.is_cut, false, "nothing is left out");
    unsent_event_has_no_delivery(&world, unsent).await
}

/// A refund of this session with its event, an audit entry about it and one about something else.
fn refunding(world: &World, session: &Session) -> UnitOfWork {
    let (refund, operation) = world.build.refund(session, 100);
    let mut unit = world.build.telling(session, EventKind::RefundRequested);
    let mut entry = world.build.audit(AuditAction::UnexpectedFact);
    entry.session = Some(session.id);
    entry.operation = Some(operation.id);
    unit.audit = vec![entry, world.build.audit(AuditAction::KeyCreated)];
    unit.operations = vec![world.build.intent(operation)];
    unit.refund = Some(refund);
    unit
}

/// The attempt, claimed once and done, and the refund that waits.
fn has_operations(story: &Story, done: &Operation, refunding: &UnitOfWork) -> anyhow::Result<()> {
    let waiting = &refunding.operations[0];
    let operations: Vec<_> = story.operations.iter().map(|it| &it.operation).collect();
    same!(operations, [done, &waiting.operation], "operations");
    let seen = story.operations.iter();
    let queue: Vec<_> = seen.map(|it| (it.tries, it.next_try_at)).collect();
    let due = Some(waiting.next_try_at);
    same!(queue, [(1, None), (0, due)], "tries and the next one");
    Ok(())
}

/// The event, delivered at the second attempt.
async fn has_event(world: &World, story: &Story, event: EventId) -> anyhow::Result<()> {
    same!(story.events.len(), 1, "events");
    let seen = &story.events[0];
    same!(seen.stored.id, event, "the event");
    same!(
        seen.stored.event.kind,
        EventKind::RefundRequested,
        "its kind"
    );
    let seen = seen.delivery.as_ref().context("a delivery")?;
    same!(seen.delivery, world.delivery(event).await?, "its delivery");
    same!(seen.next_try_at, None, "it is over");
    let attempts = world.store.webhooks.attempts(event).await?;
    same!(seen.attempts, attempts, "its attempts");
    same!(seen.attempts.len(), 2, "how many attempts");
    Ok(())
}

fn has_notification(story: &Story, wanted: &NewNotification) -> anyhow::Result<()> {
    same!(story.notifications.len(), 1, "notifications");
    let seen = &story.notifications[0];
    same!(seen.id, wanted.id, "which");
    same!(seen.event_key, wanted.event_key, "its key");
    same!(seen.account, wanted.account, "its account");
    same!(seen.status, NotificationStatus::Mismatched, "how far it is");
    same!(seen.received_at, wanted.received_at, "when it came");
    same!(seen.tries, 1, "how often it was claimed");
    Ok(())
}

fn has_audit(story: &Story, wanted: &AuditEntry) -> anyhow::Result<()> {
    same!(story.audit.len(), 1, "entries of the audit log");
    let seen = &story.audit[0];
    same!(seen.at, wanted.at, "when");
    same!(seen.action, "unexpected_fact", "what");
    same!(seen.operation, wanted.operation, "the operation");
    same!(seen.detail, wanted.detail, "what it says");
    Ok(())
}

/// A notification that was found to be about this attempt, and the attempt as it is afterwards.
async fn settle_about(
    world: &World,
    session: &Session,
    attempt: &Operation,
) -> anyhow::Result<(Operation, NewNotification)> {
    let notification = world.notified("evt-about").await?;
    let claim = (world.build.now(), LONG);
    let lease = world.lease_on_notification(notification.id, claim).await?;
    let settled = Settled {
        operation: Some(attempt.id),
        session: Some(session.id),
        ..world.build.settled(lease, NotificationStatus::Mismatched)
    };
    world.store.inbox.settle(&settled).await?;
    let done = Operation {
        status: OperationStatus::Succeeded,
        reference: Some(reference("psp_done")),
        ..attempt.clone()
    };
    Ok((done, notification))
}

/// Another session with something of each kind.
async fn another_story(world: &World) -> anyhow::Result<()> {
    let (session, _) = world.paying().await?;
    let mut unit = world.build.telling(&session, EventKind::PaymentError);
    let mut entry = world.build.audit(AuditAction::UnexpectedFact);
    entry.session = Some(session.id);
    unit.audit = vec![entry];
    world.commit(unit).await?;
    world
        .ended("evt-other", NotificationStatus::Irrelevant)
        .await?;
    Ok(())
}

async fn unsent_event_has_no_delivery(world: &World, event: EventId) -> anyhow::Result<()> {
    let stored = world.store.webhooks.event(world.merchant.id, event).await?;
    let session = stored.context("the event")?.event.session;
    let told = story_of(world, session).await?;
    same!(told.events.len(), 1, "events");
    same!(told.events[0].delivery, None, "an event with nowhere to go");
    Ok(())
}

/// No more than so many rows of a kind, the oldest ones, and it says so.
pub async fn a_long_story_is_cut(store: &Store) -> anyhow::Result<()> {
    let world = World::new(store).await?;
    let session = world.session().await?;
    let entry = |number: u32| {
        let mut entry = world.build.audit(AuditAction::UnexpectedFact);
        entry.session = Some(session.id);
        entry.detail = number.to_string();
        entry
    };
    let mut unit = world.build.next_unit(&session);
    unit.audit = (0..MOST_OF_EACH).map(entry).collect();
    let written = unit.session.clone();
    world.commit(unit).await?;
    same!(
        story_of(&world, session.id).await?.is_cut,
        false,
        "just fits"
    );
    world.build.advance(1);
    let mut unit = world.build.next_unit(&written);
    unit.audit = vec![entry(MOST_OF_EACH)];
    world.commit(unit).await?;
    let told = story_of(&world, session.id).await?;
    same!(told.is_cut, true, "one too many");
    let numbers: Vec<String> = told
        .audit
        .iter()
        .map(|entry| entry.detail.clone())
        .collect();
    let wanted: Vec<String> = (0..MOST_OF_EACH).map(|number| number.to_string()).collect();
    same!(numbers, wanted, "the oldest");
    Ok(())
}
