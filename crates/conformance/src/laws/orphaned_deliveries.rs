//! Orphaned deliveries: ended in batches, and never sent.

use oncharge_domain::{
    audit::AuditAction,
    id::EventId,
    merchant::Merchant,
    session::EventKind,
    webhook::{DeliveryState, WebhookEndpoint},
};
use oncharge_ports::webhook_repository::{
    AttemptRecord, EndpointWrite, MAX_ENDED_AT_ONCE, Redelivery,
};
use oncharge_testkit::build::endpoint_url;

use crate::{
    Store,
    fixture::{Fixture, webhooks::LONG},
};

const PORTION: usize = MAX_ENDED_AT_ONCE as usize;
const ELSEWHERE: &str = "https://elsewhere.example.com/hook";

/// Creates a session of this merchant with this many events, all in one unit.
async fn new_events_of(
    fixture: &Fixture,
    merchant: &Merchant,
    count: usize,
) -> anyhow::Result<Vec<EventId>> {
    let session = fixture.session_of(merchant).await?;
    let mut unit = fixture
        .build
        .unit_with_event(&session, EventKind::PaymentRefused);
    while unit.events.len() < count {
        let number = unit.session.next_sequence;
        let event = fixture
            .build
            .event(&session, number, EventKind::PaymentError);
        unit.session.next_sequence += 1;
        unit.events.push(event);
    }
    let events = unit.events.iter().map(|event| event.id).collect();
    fixture.commit(unit).await?;
    Ok(events)
}

/// The number of these deliveries that are pending.
async fn pending(fixture: &Fixture, events: &[EventId]) -> anyhow::Result<usize> {
    let found = fixture.store.webhooks.outgoing(events).await?;
    ensure_eq!(found.len(), events.len(), "deliveries");
    let states = found.iter().map(|outgoing| outgoing.delivery.state);
    Ok(states
        .filter(|state| *state == DeliveryState::Pending)
        .count())
}

/// The end of an endpoint ends one batch, and each call one more, of the given merchant.
pub async fn orphaned_deliveries_are_ended_in_batches(store: &Store) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let (other, other_key) = fixture.other_merchant_with_key().await?;
    fixture.endpoint().await?;
    fixture.endpoint_at(&other, &other_key, ELSEWHERE).await?;
    let ours = new_events_of(&fixture, &fixture.merchant, 2 * PORTION + 3).await?;
    let theirs = new_events_of(&fixture, &other, PORTION + 1).await?;
    let webhooks = &store.webhooks;
    ensure_eq!(
        webhooks.end_orphaned_deliveries(None).await?,
        0,
        "of no ended one"
    );
    fixture.remove(&other).await?;
    ensure_eq!(pending(&fixture, &theirs).await?, 1, "theirs");
    let mine = Some(fixture.merchant.id);
    ensure_eq!(
        webhooks.end_orphaned_deliveries(mine).await?,
        0,
        "of an enabled one"
    );
    fixture.remove(&fixture.merchant).await?;
    for (left, ended) in [(PORTION + 3, PORTION), (3, 3), (0, 0)] {
        ensure_eq!(pending(&fixture, &ours).await?, left, "ours");
        ensure_eq!(
            webhooks.end_orphaned_deliveries(mine).await?,
            ended as u64,
            "ended"
        );
    }
    ensure_eq!(pending(&fixture, &theirs).await?, 1, "theirs are not ours");
    ensure_eq!(
        webhooks.end_orphaned_deliveries(None).await?,
        1,
        "of anybody"
    );
    ensure_eq!(pending(&fixture, &theirs).await?, 0, "theirs at last");
    ensure_eq!(
        webhooks.end_orphaned_deliveries(None).await?,
        0,
        "all has ended"
    );
    Ok(())
}

/// No endpoint can be set, at any URL, while orphaned deliveries exist; they are sent to the next
/// endpoint only if they are redelivered. Deliveries to a URL that has not ended continue.
pub async fn orphaned_deliveries_are_not_revived(store: &Store) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    fixture
        .endpoint_at(&fixture.merchant, &fixture.key, ELSEWHERE)
        .await?;
    let elsewhere = new_events_of(&fixture, &fixture.merchant, 1).await?;
    fixture.endpoint().await?;
    let gone = new_events_of(&fixture, &fixture.merchant, PORTION + 3).await?;
    disable(&fixture, gone[0]).await?;
    ensure_eq!(pending(&fixture, &gone).await?, 2, "left over");
    set_after_all_has_ended(&fixture).await?;
    ensure_eq!(pending(&fixture, &gone).await?, 0, "what was left over");
    ensure_eq!(pending(&fixture, &elsewhere).await?, 1, "to the other URL");

    let removed = new_events_of(&fixture, &fixture.merchant, PORTION + 3).await?;
    fixture.remove(&fixture.merchant).await?;
    let all = [elsewhere, removed.clone()].concat();
    ensure_eq!(pending(&fixture, &all).await?, 4, "left over, to any URL");
    set_after_all_has_ended(&fixture).await?;
    ensure_eq!(pending(&fixture, &all).await?, 0, "what was left over");
    let later = fixture.build.now().plus_seconds(1_000_000);
    ensure_eq!(
        fixture.claimable_events(later).await?,
        [],
        "nothing goes out"
    );

    let (event, merchant) = (removed[0], fixture.merchant.id);
    let again = store.webhooks.redeliver(merchant, event, later);
    ensure_eq!(again.await?, Redelivery::Due, "a redelivery");
    let ended = store
        .webhooks
        .end_orphaned_deliveries(Some(merchant))
        .await?;
    ensure_eq!(ended, 0, "of an enabled endpoint");
    ensure_eq!(fixture.claimable_events(later).await?, [event], "it alone");
    Ok(())
}

/// Records a 410 response for this event.
async fn disable(fixture: &Fixture, event: EventId) -> anyhow::Result<()> {
    let lease = fixture
        .claim_delivery(event, fixture.build.now(), LONG)
        .await?;
    let attempt_record = AttemptRecord {
        audit: Some(fixture.build.audit(AuditAction::EndpointDisabled)),
        ..fixture
            .build
            .attempt_record(lease, &fixture.delivery(event).await?, Ok(410), None)
    };
    Ok(fixture.store.webhooks.record(&attempt_record).await?)
}

/// Sets the endpoint again: refused without any change until all orphaned deliveries have ended.
async fn set_after_all_has_ended(fixture: &Fixture) -> anyhow::Result<()> {
    let (webhooks, merchant) = (&fixture.store.webhooks, fixture.merchant.id);
    let before = webhooks.endpoint(merchant).await?;
    let same_url = fixture.build.endpoint(&fixture.merchant, &fixture.key);
    let same_url = match &before {
        Some(before) => WebhookEndpoint {
            id: before.id,
            version: before.version + 1,
            ..same_url
        },
        None => same_url,
    };
    let new_url = WebhookEndpoint {
        url: endpoint_url("https://new.example.com/hook"),
        ..same_url.clone()
    };
    for endpoint in [&new_url, &same_url] {
        let audit = fixture.build.audit(AuditAction::EndpointSet);
        let set = webhooks.set_endpoint(endpoint, &audit).await?;
        ensure_eq!(
            set,
            EndpointWrite::OrphanedDeliveries,
            "while something is left over"
        );
        ensure_eq!(webhooks.endpoint(merchant).await?, before, "as it was");
    }
    while webhooks.end_orphaned_deliveries(Some(merchant)).await? > 0 {}
    fixture.set(&same_url).await?;
    Ok(())
}
