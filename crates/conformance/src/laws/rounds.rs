//! What a merchant or another attempt changes while an attempt is under way is not undone by it.

use anyhow::{Context, ensure};
use oncharge_domain::{
    audit::AuditAction,
    id::EventId,
    time::Timestamp,
    webhook::{Delivery, DeliveryState, DisabledBecause, EndpointChange, WebhookEndpoint},
};
use oncharge_ports::{
    unit_of_work::Lease,
    webhook_repository::{Recorded, Redelivery},
};

use crate::{
    Store,
    world::{
        World,
        webhooks::{LONG, OVER, any, lease_in},
    },
};

const ELSEWHERE: &str = "https://elsewhere.example.com/hook";
const FIVE_DAYS: i64 = 5 * 86_400;

async fn redeliver(world: &World, event: EventId) -> anyhow::Result<()> {
    let (merchant, now) = (world.merchant.id, world.build.now());
    let done = world.store.webhooks.redeliver(merchant, event, now).await?;
    same!(done, Redelivery::Due, "a redelivery of {event}");
    Ok(())
}

/// Claims the delivery, and reads it as a worker does.
async fn begin(world: &World, event: EventId) -> anyhow::Result<(Lease, Delivery)> {
    let lease = world.lease_on(event, (world.build.now(), LONG)).await?;
    Ok((lease, world.delivery(event).await?))
}

/// It waits for its first try of its second round, and can be had at once.
async fn waits_again(world: &World, event: EventId, attempts: u32) -> anyhow::Result<()> {
    let delivery = world.delivery(event).await?;
    same!(
        (delivery.state, delivery.attempts, delivery.failures),
        (DeliveryState::Pending, attempts, 0),
        "after the redelivery"
    );
    let deliverable = world.deliverable(world.build.now()).await?;
    ensure!(deliverable.contains(&event), "it is not handed out again");
    Ok(())
}

/// Whatever comes of the attempt under way, it is kept, and the event goes out again: also where it
/// was the tenth that failed, a success, or none because its endpoint was gone.
pub async fn a_redelivery_outlives_the_attempt_under_way(store: &Store) -> anyhow::Result<()> {
    let world = World::new(store).await?;
    world.endpoint().await?;
    let last = world.told(&world.merchant).await?;
    for _ in 0..9 {
        world.attempt(last, Ok(500)).await?;
        // Longer than any wait.
        world.build.advance(13 * 3600);
    }
    let (lease, before) = begin(&world, last).await?;
    redeliver(&world, last).await?;
    let tenth = world.build.recorded((lease, &before), Ok(500), None);
    same!(
        tenth.after.delivery.state,
        DeliveryState::Dead,
        "the tenth failure"
    );
    store.webhooks.record(&tenth).await?;
    waits_again(&world, last, 10).await?;
    let kept = store.webhooks.attempts(last).await?;
    same!(kept.len(), 10, "attempts that are kept");
    let after = world.attempt(last, Ok(200)).await?;
    same!(
        (after.state, after.attempts),
        (DeliveryState::Delivered, 11),
        "in the end"
    );

    let taken = world.told(&world.merchant).await?;
    let (lease, before) = begin(&world, taken).await?;
    redeliver(&world, taken).await?;
    let recorded = world.build.recorded((lease, &before), Ok(200), None);
    store.webhooks.record(&recorded).await?;
    waits_again(&world, taken, 1).await?;
    world.attempt(taken, Ok(200)).await?;

    let given_up = world.told(&world.merchant).await?;
    let (lease, before) = begin(&world, given_up).await?;
    redeliver(&world, given_up).await?;
    store
        .webhooks
        .record(&world.build.given_up((lease, &before)))
        .await?;
    waits_again(&world, given_up, 0).await
}

/// 410 of the old URL is not the new one's: the redelivery goes there. Where it is still the same,
/// the redelivery dies with the endpoint.
pub async fn a_redelivery_outlives_its_old_url(store: &Store) -> anyhow::Result<()> {
    let world = World::new(store).await?;
    world.endpoint().await?;
    let event = world.told(&world.merchant).await?;
    let (lease, before) = begin(&world, event).await?;
    let shop = (&world.merchant, &world.key);
    let moved = world.endpoint_at(shop, ELSEWHERE).await?;
    redeliver(&world, event).await?;
    let gone = world.build.recorded((lease, &before), Ok(410), None);
    store.webhooks.record(&gone).await?;
    waits_again(&world, event, 1).await?;
    same!(world.delivery(event).await?.url, moved.url, "where it goes");
    let endpoint = store.webhooks.endpoint(world.merchant.id).await?;
    same!(endpoint, Some(moved), "the new endpoint");

    let (lease, before) = begin(&world, event).await?;
    redeliver(&world, event).await?;
    let gone = world.build.recorded((lease, &before), Ok(410), None);
    store.webhooks.record(&gone).await?;
    let state = world.delivery(event).await?.state;
    same!(state, DeliveryState::Dead, "gone from where it goes");
    same!(
        store.webhooks.attempts(event).await?.len(),
        2,
        "attempts that are kept"
    );
    Ok(())
}

/// A redelivery and the record of an attempt at once, many times: whichever comes first, the
/// attempt is kept and the event goes out again.
pub async fn a_redelivery_outlives_a_racing_record(store: &Store) -> anyhow::Result<()> {
    let world = World::new(store).await?;
    world.endpoint().await?;
    let mut events = Vec::new();
    for _ in 0..24 {
        events.push(world.told(&world.merchant).await?);
    }
    let now = world.build.now();
    let claimed = store.queue.claim_deliveries(now, &any(), LONG).await?;
    let mut tasks = tokio::task::JoinSet::new();
    for (number, event) in events.iter().copied().enumerate() {
        let claim = (lease_in(&claimed, event)?, &world.delivery(event).await?);
        let answer = Ok([200, 500][number / 2 % 2]);
        let recorded = world.build.recorded(claim, answer, None);
        let (recording, redelivering) = (store.webhooks.clone(), store.webhooks.clone());
        let merchant = world.merchant.id;
        let record = async move { anyhow::Ok(recording.record(&recorded).await?) };
        let redeliver = async move {
            redelivering.redeliver(merchant, event, now).await?;
            Ok(())
        };
        // Each gets ahead of the other in turn, also where nothing runs at once.
        if number % 2 == 0 {
            tasks.spawn(record);
            tasks.spawn(redeliver);
        } else {
            tasks.spawn(redeliver);
            tasks.spawn(record);
        }
    }
    for done in tasks.join_all().await {
        done?;
    }
    for event in events {
        waits_again(&world, event, 1).await?;
        same!(store.webhooks.attempts(event).await?.len(), 1, "of {event}");
    }
    Ok(())
}

/// Removing or disabling an endpoint ends what is on the way, but not the attempts under way: those
/// keep their leases and are kept themselves, and what is dead stays dead.
pub async fn an_attempt_outlives_its_delivery(store: &Store) -> anyhow::Result<()> {
    let world = World::new(store).await?;
    let later = world.build.now().plus_seconds(1_000_000);
    for removed in [true, false] {
        world.endpoint().await?;
        let mut begun = Vec::new();
        for answer in [Ok(200), Ok(500)] {
            let event = world.told(&world.merchant).await?;
            begun.push((event, begin(&world, event).await?, answer));
        }
        if removed {
            same!(world.remove(&world.merchant).await?, true, "removed");
        } else {
            let gone = world.told(&world.merchant).await?;
            world.attempt(gone, Ok(410)).await?;
        }
        for (event, (lease, before), answer) in begun {
            same!(store.queue.renew(lease, LONG).await?, true, "its lease");
            let recorded = world.build.recorded((lease, &before), answer, None);
            store.webhooks.record(&recorded).await?;
            let after = world.delivery(event).await?;
            same!(
                (after.state, after.attempts, after.failures),
                (DeliveryState::Dead, 1, 0),
                "after {answer:?}"
            );
            let kept = store.webhooks.attempts(event).await?;
            same!(Some(kept), recorded.attempt.map(|one| vec![one]), "kept");
            same!(store.queue.renew(lease, LONG).await?, false, "given back");
        }
        same!(world.deliverable(later).await?, [], "nothing is on its way");
    }
    // What is dead and held is handed out again once it is redelivered and nobody is at it.
    world.endpoint().await?;
    let event = world.told(&world.merchant).await?;
    let (lease, before) = begin(&world, event).await?;
    world.remove(&world.merchant).await?;
    world.endpoint().await?;
    redeliver(&world, event).await?;
    same!(world.deliverable(later).await?, [], "while it is held");
    let recorded = world.build.recorded((lease, &before), Ok(500), None);
    store.webhooks.record(&recorded).await?;
    waits_again(&world, event, 1).await
}

/// What was read before an attempt gives an endpoint up only while it is still so: not where it was
/// set or has recovered meanwhile, nor where it fails again since then.
pub async fn an_endpoint_that_recovered_is_not_given_up(store: &Store) -> anyhow::Result<()> {
    let world = World::new(store).await?;
    let start = world.build.now();
    world.build.advance(FIVE_DAYS);
    let since_then = Some(world.build.now().plus_seconds(-1));
    for (present, is_given_up) in [(None, false), (since_then, false), (Some(start), true)] {
        let failing = |failing_since| WebhookEndpoint {
            failing_since,
            ..world.build.endpoint(&world.merchant, &world.key)
        };
        world.set(&failing(Some(start))).await?;
        let (event, other) = (
            world.told(&world.merchant).await?,
            world.told(&world.merchant).await?,
        );
        let (lease, before) = begin(&world, event).await?;
        world.set(&failing(present)).await?;
        let recorded = giving_up(&world, (lease, &before), start)?;
        store.webhooks.record(&recorded).await?;
        let (disabled, state) = if is_given_up {
            (Some(DisabledBecause::Failing), DeliveryState::Dead)
        } else {
            (None, DeliveryState::Pending)
        };
        let found = store.webhooks.endpoint(world.merchant.id).await?;
        let found = found.context("the endpoint")?;
        same!(
            (
                found.disabled.map(|disabled| disabled.because),
                found.failing_since
            ),
            (disabled, present),
            "failing since {present:?}"
        );
        let after = world.delivery(event).await?;
        same!((after.state, after.failures), (state, 1), "its own");
        same!(world.delivery(other).await?.state, state, "another");
        let next = world.build.now().plus_seconds(60);
        let mut early = store.queue.claim_deliveries(next, &any(), OVER).await?;
        early.retain(|claim| claim.event == event);
        same!(early.len(), usize::from(!is_given_up), "its next try");
    }
    Ok(())
}

/// What is recorded of a failure that gives the endpoint up, by what was read before it.
fn giving_up(
    world: &World,
    claim: (Lease, &Delivery),
    failing_since: Timestamp,
) -> anyhow::Result<Recorded> {
    let recorded = Recorded {
        audit: Some(world.build.audit(AuditAction::EndpointDisabled)),
        ..world.build.recorded(claim, Ok(500), Some(failing_since))
    };
    let disables = EndpointChange::Disabled(DisabledBecause::Failing);
    same!(recorded.after.endpoint, disables, "after five days");
    Ok(recorded)
}
