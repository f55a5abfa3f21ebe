//! Attempts to deliver, and events that are sent again.

use anyhow::{Context, ensure};
use oncharge_domain::{
    id::EventId,
    merchant::Merchant,
    webhook::{Attempt, Attempted, DeliveryState, EndpointChange, SendError},
};
use oncharge_ports::{
    CommitError,
    unit_of_work::{Lease, LeasedItem},
    webhook_repository::{Recorded, Redelivery},
};

use crate::{
    Store,
    generate::{self, Draw},
    world::{
        World,
        webhooks::{LONG, OVER},
    },
};

/// Every attempt as it was recorded, in order, and of its own event alone.
pub async fn attempts_load_equal(store: &Store) -> anyhow::Result<()> {
    let (world, mut draw) = (World::new(store).await?, Draw::new());
    world.endpoint().await?;
    let event = world.told(&world.merchant).await?;
    let errors = SendError::ALL.iter().map(|error| Err(*error));
    let statuses = [100, 301, 404, 429, 599, 999].map(Ok);
    let mut attempts = Vec::new();
    for answer in errors.chain(statuses) {
        let lease = world.lease_on(event, (world.build.now(), LONG)).await?;
        let delivery = world.delivery(event).await?;
        let attempt = Attempt {
            at: draw.one(generate::instant()),
            latency_ms: [0, 10_000, i32::MAX.unsigned_abs()][attempts.len() % 3],
            response: draw.one(generate::text(255)),
            ..world.build.try_of(&delivery, answer)
        };
        let mut after = delivery.clone();
        after.attempts = attempt.number;
        after.failures = attempt.number.min(9);
        let recorded = Recorded {
            lease,
            attempt: Some(attempt.clone()),
            after: Attempted {
                delivery: after.clone(),
                next_try_at: Some(world.build.now()),
                endpoint: EndpointChange::None,
            },
            failing_since: None,
            at: world.build.now(),
            audit: None,
        };
        store.webhooks.record(&recorded).await?;
        attempts.push(attempt);
        same!(world.delivery(event).await?, after, "the delivery");
        same!(
            store.webhooks.attempts(event).await?,
            attempts,
            "the attempts"
        );
    }
    let done = world.attempt(event, Ok(200)).await?;
    same!(done.state, DeliveryState::Delivered, "in the end");
    let other = world.told(&world.merchant).await?;
    same!(store.webhooks.attempts(other).await?, [], "another event's");
    Ok(())
}

/// Under a lease that is over, another's, given back or made up nothing is written: neither the
/// attempt nor what follows from it. One attempt is recorded once.
pub async fn a_lost_lease_cannot_record(store: &Store) -> anyhow::Result<()> {
    let world = World::new(store).await?;
    world.endpoint().await?;
    let event = world.told(&world.merchant).await?;
    let (now, webhooks) = (world.build.now(), &store.webhooks);
    let over = world.lease_on(event, (now, OVER)).await?;
    refused(&world, event, over).await?;
    let held = world.lease_on(event, (now, LONG)).await?;
    refused(&world, event, over).await?;
    let made_up = Lease {
        item: LeasedItem::Delivery(event),
        token: world.build.id(),
    };
    refused(&world, event, made_up).await?;
    store.queue.release(held, now).await?;
    refused(&world, event, held).await?;

    let held = world.lease_on(event, (now, LONG)).await?;
    let delivery = world.delivery(event).await?;
    let recorded = world.build.recorded((held, &delivery), Ok(500), None);
    webhooks.record(&recorded).await?;
    fails!(
        webhooks.record(&recorded).await,
        CommitError::LeaseLost,
        "the same once more"
    );
    same!(webhooks.attempts(event).await?.len(), 1, "attempts");
    let endpoint = webhooks
        .endpoint(world.merchant.id)
        .await?
        .context("the endpoint")?;
    same!(
        endpoint.failing_since,
        Some(now),
        "what followed from the one"
    );
    Ok(())
}

/// Under this lease an attempt that disables the endpoint leaves nothing.
async fn refused(world: &World, event: EventId, lease: Lease) -> anyhow::Result<()> {
    let before = world.outgoing(event).await?.context("a delivery")?;
    let claim = (lease, &before.delivery);
    let webhooks = &world.store.webhooks;
    for answer in [Ok(200), Ok(410), Err(SendError::Tls)] {
        let recorded = world.build.recorded(claim, answer, None);
        fails!(
            webhooks.record(&recorded).await,
            CommitError::LeaseLost,
            "{answer:?} {lease:?}"
        );
        let given_up = webhooks.record(&world.build.given_up(claim)).await;
        fails!(given_up, CommitError::LeaseLost, "given up under {lease:?}");
        same!(
            world.outgoing(event).await?,
            Some(before.clone()),
            "what is there"
        );
        same!(
            webhooks.attempts(event).await?,
            [],
            "attempts under a lost lease"
        );
    }
    Ok(())
}

async fn redeliver(
    world: &World,
    merchant: &Merchant,
    event: EventId,
) -> anyhow::Result<Redelivery> {
    let now = world.build.now();
    Ok(world
        .store
        .webhooks
        .redeliver(merchant.id, event, now)
        .await?)
}

/// Ten failures, each after its wait; other deliveries that come up meanwhile stay held.
async fn die(world: &World, event: EventId) -> anyhow::Result<()> {
    for number in 1..=10 {
        let after = world.attempt(event, Ok(503)).await?;
        same!(
            (after.attempts, after.failures),
            (number, number),
            "failures"
        );
        // Longer than any wait.
        world.build.advance(13 * 3600);
    }
    let state = world.delivery(event).await?.state;
    same!(state, DeliveryState::Dead, "after ten failures");
    Ok(())
}

/// From delivered, from dead, in the middle of its retries, and where it never was on its way: to
/// the present endpoint, at once, with all its tries before it and those it had behind it.
pub async fn a_redelivered_event_goes_out_again(store: &Store) -> anyhow::Result<()> {
    let world = World::new(store).await?;
    let untold = world.told(&world.merchant).await?;
    world.endpoint().await?;
    let (taken, retried) = (
        world.told(&world.merchant).await?,
        world.told(&world.merchant).await?,
    );
    let claimed = world.take_deliveries(world.build.now(), LONG).await?;
    let lease = |event| crate::world::webhooks::lease_in(&claimed, event);
    world.record(taken, lease(taken)?, Ok(200)).await?;
    world.record(retried, lease(retried)?, Ok(500)).await?;
    let dead = world.told(&world.merchant).await?;
    die(&world, dead).await?;
    let url = "https://new.example.com/hook";
    let endpoint = world
        .endpoint_at((&world.merchant, &world.key), url)
        .await?;
    world.build.advance(1000);
    for (event, attempts) in [(taken, 1), (dead, 10), (untold, 0)] {
        same!(
            redeliver(&world, &world.merchant, event).await?,
            Redelivery::Due,
            "{event}"
        );
        let delivery = world.delivery(event).await?;
        same!(delivery.state, DeliveryState::Pending, "{event}");
        same!(
            (delivery.attempts, delivery.failures),
            (attempts, 0),
            "tries of {event}"
        );
        let round = u32::from(event != untold);
        same!(delivery.round, round, "the round of {event}");
        same!(delivery.url, endpoint.url, "where {event} goes");
        same!(delivery.sequence, 1, "its number");
        let micro = time::Duration::microseconds(-1);
        let early = world.deliverable(world.build.now().plus(micro)).await?;
        ensure!(!early.contains(&event), "{event} before it was wished for");
        let after = world.attempt(event, Ok(200)).await?;
        same!(
            (after.state, after.attempts),
            (DeliveryState::Delivered, attempts + 1),
            "{event}"
        );
        same!(
            store.webhooks.attempts(event).await?.len(),
            after.attempts as usize,
            "{event}"
        );
    }
    same!(
        redeliver(&world, &world.merchant, retried).await?,
        Redelivery::Due,
        "retried"
    );
    let delivery = world.delivery(retried).await?;
    same!(
        (delivery.failures, delivery.url),
        (0, endpoint.url),
        "retried"
    );
    Ok(())
}

/// Nothing is redelivered without an enabled endpoint, nor what is another merchant's.
pub async fn a_redelivery_needs_its_event_and_an_endpoint(store: &Store) -> anyhow::Result<()> {
    let world = World::new(store).await?;
    let (other, other_key) = world.other_shop().await?;
    world
        .endpoint_at((&other, &other_key), "https://other.example.com/hook")
        .await?;
    let untold = world.told(&world.merchant).await?;
    let unknown = world.build.id();
    let mine = &world.merchant;
    same!(
        redeliver(&world, mine, untold).await?,
        Redelivery::NoEndpoint,
        "without one"
    );
    world.endpoint().await?;
    let taken = world.told(mine).await?;
    world.attempt(taken, Ok(200)).await?;
    same!(
        redeliver(&world, mine, unknown).await?,
        Redelivery::NotFound,
        "an unknown event"
    );
    for event in [untold, taken] {
        same!(
            redeliver(&world, &other, event).await?,
            Redelivery::NotFound,
            "another's event"
        );
    }
    world.disabled_endpoint().await?;
    same!(
        redeliver(&world, mine, taken).await?,
        Redelivery::NoEndpoint,
        "disabled"
    );
    same!(
        world.delivery(taken).await?.state,
        DeliveryState::Delivered,
        "what was delivered"
    );
    same!(
        world.outgoing(untold).await?,
        None,
        "what was never on its way"
    );
    same!(
        world.deliverable(world.build.now()).await?,
        [],
        "nothing is on its way"
    );
    Ok(())
}

/// The attempt that is under way goes on, keeps its lease, and is recorded.
pub async fn a_redelivery_leaves_the_attempt_under_way(store: &Store) -> anyhow::Result<()> {
    let world = World::new(store).await?;
    world.endpoint().await?;
    let now = world.build.now();
    for answer in [Ok(200), Ok(500)] {
        let event = world.told(&world.merchant).await?;
        let lease = world.lease_on(event, (now, LONG)).await?;
        let before = world.delivery(event).await?;
        same!(
            redeliver(&world, &world.merchant, event).await?,
            Redelivery::Due,
            "{event}"
        );
        let again = world.deliverable(now).await?;
        ensure!(!again.contains(&event), "handed out while it is under way");
        same!(store.queue.renew(lease, LONG).await?, true, "its lease");
        let recorded = world.build.recorded((lease, &before), answer, None);
        store.webhooks.record(&recorded).await?;
        same!(world.delivery(event).await?.attempts, 1, "after {answer:?}");
        same!(
            Some(store.webhooks.attempts(event).await?),
            recorded.attempt.map(|attempt| vec![attempt]),
            "the attempt"
        );
    }
    Ok(())
}
