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
    TestedStore,
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
    ensure_eq!(found.len(), events.len(), "the number of deliveries");
    let states = found.iter().map(|outgoing| outgoing.delivery.state);
    Ok(states
        .filter(|state| *state == DeliveryState::Pending)
        .count())
}

/// Disabling an endpoint ends one batch of its deliveries; each call ends one more, of the given
/// merchant only.
pub async fn orphaned_deliveries_are_ended_in_batches(store: &TestedStore) -> anyhow::Result<()> {
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
        "the number ended without an ended endpoint"
    );
    fixture.remove(&other).await?;
    ensure_eq!(
        pending(&fixture, &theirs).await?,
        1,
        "the other merchant's pending deliveries"
    );
    let mine = Some(fixture.merchant.id);
    ensure_eq!(
        webhooks.end_orphaned_deliveries(mine).await?,
        0,
        "the number ended for an enabled endpoint"
    );
    fixture.remove(&fixture.merchant).await?;
    for (left, ended) in [(PORTION + 3, PORTION), (3, 3), (0, 0)] {
        ensure_eq!(
            pending(&fixture, &ours).await?,
            left,
            "the merchant's own pending deliveries"
        );
        ensure_eq!(
            webhooks.end_orphaned_deliveries(mine).await?,
            ended as u64,
            "the number ended in a batch"
        );
    }
    ensure_eq!(
        pending(&fixture, &theirs).await?,
        1,
        "the other merchant's pending deliveries"
    );
    ensure_eq!(
        webhooks.end_orphaned_deliveries(None).await?,
        1,
        "the number ended for any merchant"
    );
    ensure_eq!(
        pending(&fixture, &theirs).await?,
        0,
        "the other merchant's pending deliveries"
    );
    ensure_eq!(
        webhooks.end_orphaned_deliveries(None).await?,
        0,
        "the number ended after the last batch"
    );
    Ok(())
}

/// No endpoint can be set, at any URL, while orphaned deliveries exist; they are sent to the next
/// endpoint only if they are redelivered. Deliveries to a URL that has not ended continue.
pub async fn orphaned_deliveries_are_not_revived(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    fixture
        .endpoint_at(&fixture.merchant, &fixture.key, ELSEWHERE)
        .await?;
    let elsewhere = new_events_of(&fixture, &fixture.merchant, 1).await?;
    fixture.endpoint().await?;
    let gone = new_events_of(&fixture, &fixture.merchant, PORTION + 3).await?;
    disable(&fixture, gone[0]).await?;
    ensure_eq!(
        pending(&fixture, &gone).await?,
        2,
        "the orphaned deliveries"
    );
    set_after_all_has_ended(&fixture).await?;
    ensure_eq!(
        pending(&fixture, &gone).await?,
        0,
        "the orphaned deliveries after they were ended"
    );
    ensure_eq!(
        pending(&fixture, &elsewhere).await?,
        1,
        "the pending deliveries to the other URL"
    );

    let removed = new_events_of(&fixture, &fixture.merchant, PORTION + 3).await?;
    fixture.remove(&fixture.merchant).await?;
    let all = [elsewhere, removed.clone()].concat();
    ensure_eq!(
        pending(&fixture, &all).await?,
        4,
        "the orphaned deliveries to all URLs"
    );
    set_after_all_has_ended(&fixture).await?;
    ensure_eq!(
        pending(&fixture, &all).await?,
        0,
        "the orphaned deliveries after they were ended"
    );
    let later = fixture.build.now().plus_seconds(1_000_000);
    ensure_eq!(
        fixture.claimable_events(later).await?,
        [],
        "the claimable events"
    );

    let (event, merchant) = (removed[0], fixture.merchant.id);
    let again = store.webhooks.redeliver(merchant, event, later);
    ensure_eq!(again.await?, Redelivery::Due, "a redelivery");
    let ended = store
        .webhooks
        .end_orphaned_deliveries(Some(merchant))
        .await?;
    ensure_eq!(ended, 0, "the number ended for an enabled endpoint");
    ensure_eq!(
        fixture.claimable_events(later).await?,
        [event],
        "the claimable events after one redelivery"
    );
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

/// Sets the endpoint again, which is refused without any change until all orphaned deliveries have
/// ended.
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
            "setting an endpoint while orphaned deliveries exist"
        );
        ensure_eq!(
            webhooks.endpoint(merchant).await?,
            before,
            "the endpoint after a refused write"
        );
    }
    while webhooks.end_orphaned_deliveries(Some(merchant)).await? > 0 {}
    fixture.set(&same_url).await?;
    Ok(())
}
