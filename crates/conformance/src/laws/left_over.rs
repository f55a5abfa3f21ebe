//! What an ended endpoint has left over: ended in portions, sent by nobody.

use oncharge_domain::{
    audit::AuditAction,
    id::EventId,
    merchant::Merchant,
    session::EventKind,
    webhook::{DeliveryState, WebhookEndpoint},
};
use oncharge_ports::webhook_repository::{ENDED_AT_ONCE, EndpointWrite, Recorded, Redelivery};
use oncharge_testkit::build::endpoint_url;

use crate::{
    Store,
    world::{World, webhooks::LONG},
};

const PORTION: usize = ENDED_AT_ONCE as usize;
const ELSEWHERE: &str = "https://elsewhere.example.com/hook";

/// A new session of this merchant with so many events, all of one unit.
async fn told(world: &World, merchant: &Merchant, count: usize) -> anyhow::Result<Vec<EventId>> {
    let session = world.session_of(merchant).await?;
    let mut unit = world.build.telling(&session, EventKind::PaymentRefused);
    while unit.events.len() < count {
        let number = unit.session.next_sequence;
        let event = world.build.event(&session, number, EventKind::PaymentError);
        unit.session.next_sequence += 1;
        unit.events.push(event);
    }
    let events = unit.events.iter().map(|event| event.id).collect();
    world.commit(unit).await?;
    Ok(events)
}

/// How many of these are pending.
async fn pending(world: &World, events: &[EventId]) -> anyhow::Result<usize> {
    let found = world.store.webhooks.outgoing(events).await?;
    same!(found.len(), events.len(), "deliveries");
    let states = found.iter().map(|outgoing| outgoing.delivery.state);
    Ok(states
        .filter(|state| *state == DeliveryState::Pending)
        .count())
}

/// The end of an endpoint ends one portion, and each call one more, of the merchant that is named.
pub async fn what_is_left_over_is_ended_in_portions(store: &Store) -> anyhow::Result<()> {
    let world = World::new(store).await?;
    let (other, other_key) = world.other_shop().await?;
    world.endpoint().await?;
    world.endpoint_at((&other, &other_key), ELSEWHERE).await?;
    let ours = told(&world, &world.merchant, 2 * PORTION + 3).await?;
    let theirs = told(&world, &other, PORTION + 1).await?;
    let webhooks = &store.webhooks;
    same!(webhooks.end_left_over(None).await?, 0, "of no ended one");
    world.remove(&other).await?;
    same!(pending(&world, &theirs).await?, 1, "theirs");
    let mine = Some(world.merchant.id);
    same!(webhooks.end_left_over(mine).await?, 0, "of an enabled one");
    world.remove(&world.merchant).await?;
    for (left, ended) in [(PORTION + 3, PORTION), (3, 3), (0, 0)] {
        same!(pending(&world, &ours).await?, left, "ours");
        same!(webhooks.end_left_over(mine).await?, ended as u64, "ended");
    }
    same!(pending(&world, &theirs).await?, 1, "theirs are not ours");
    same!(webhooks.end_left_over(None).await?, 1, "of anybody");
    same!(pending(&world, &theirs).await?, 0, "theirs at last");
    same!(webhooks.end_left_over(None).await?, 0, "all has ended");
    Ok(())
}

/// No endpoint is set, at whatever URL, while anything is left over; what was left over goes to the
/// next one only where it is redelivered. What goes to a URL that has not ended goes on.
pub async fn what_is_left_over_is_not_revived(store: &Store) -> anyhow::Result<()> {
    let world = World::new(store).await?;
    world
        .endpoint_at((&world.merchant, &world.key), ELSEWHERE)
        .await?;
    let elsewhere = told(&world, &world.merchant, 1).await?;
    world.endpoint().await?;
    let gone = told(&world, &world.merchant, PORTION + 3).await?;
    disable(&world, gone[0]).await?;
    same!(pending(&world, &gone).await?, 2, "left over");
    set_after_all_has_ended(&world).await?;
    same!(pending(&world, &gone).await?, 0, "what was left over");
    same!(pending(&world, &elsewhere).await?, 1, "to the other URL");

    let removed = told(&world, &world.merchant, PORTION + 3).await?;
    world.remove(&world.merchant).await?;
    let all = [elsewhere, removed.clone()].concat();
    same!(pending(&world, &all).await?, 4, "left over, to any URL");
    set_after_all_has_ended(&world).await?;
    same!(pending(&world, &all).await?, 0, "what was left over");
    let later = world.build.now().plus_seconds(1_000_000);
    same!(world.deliverable(later).await?, [], "nothing goes out");

    let (event, merchant) = (removed[0], world.merchant.id);
    let again = store.webhooks.redeliver(merchant, event, later);
    same!(again.await?, Redelivery::Due, "a redelivery");
    let ended = store.webhooks.end_left_over(Some(merchant)).await?;
    same!(ended, 0, "of an enabled endpoint");
    same!(world.deliverable(later).await?, [event], "it alone");
    Ok(())
}

/// Answers this event with 410.
async fn disable(world: &World, event: EventId) -> anyhow::Result<()> {
    let lease = world.lease_on(event, (world.build.now(), LONG)).await?;
    let claim = (lease, &world.delivery(event).await?);
    let recorded = Recorded {
        audit: Some(world.build.audit(AuditAction::EndpointDisabled)),
        ..world.build.recorded(claim, Ok(410), None)
    };
    Ok(world.store.webhooks.record(&recorded).await?)
}

/// Sets the endpoint anew: refused, and nothing is changed, until all that is left over has ended.
async fn set_after_all_has_ended(world: &World) -> anyhow::Result<()> {
    let (webhooks, merchant) = (&world.store.webhooks, world.merchant.id);
    let before = webhooks.endpoint(merchant).await?;
    let same_url = world.build.endpoint(&world.merchant, &world.key);
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
        let audit = world.build.audit(AuditAction::EndpointSet);
        let set = webhooks.set_endpoint(endpoint, &audit).await?;
        same!(set, EndpointWrite::LeftOver, "while something is left over");
        same!(webhooks.endpoint(merchant).await?, before, "as it was");
    }
    while webhooks.end_left_over(Some(merchant)).await? > 0 {}
    world.set(&same_url).await?;
    Ok(())
}
