//! Which deliveries workers get: first attempts in order, everybody's share, one holder at a time.

use std::collections::HashSet;

use anyhow::ensure;
use oncharge_domain::{
    id::{EventId, MerchantId},
    webhook::{DeliveryState, SendError},
};
use oncharge_ports::{unit_of_work::LeasedItem, work_queue::WantedDeliveries};
use tokio::task::JoinSet;

use crate::{
    Store,
    world::{
        World,
        webhooks::{LONG, OVER, any, lease_in, sorted},
    },
};

/// The next of a session's events begins when the one before has ended, well or badly: not while
/// that is under way, not because its worker died, not because it was put off. No other session
/// waits for it.
pub async fn first_attempts_go_out_in_order(store: &Store) -> anyhow::Result<()> {
    let world = World::new(store).await?;
    world.endpoint().await?;
    let events = world.told_often(4).await?;
    let other = world.told_often(2).await?;
    let now = world.build.now();
    same!(
        world.deliverable(now).await?,
        sorted([events[0], other[0]]),
        "the first of each"
    );
    same!(
        world.deliverable(now).await?,
        sorted([events[0], other[0]]),
        "lapsed, the same again"
    );
    let claimed = world.take_deliveries(now, LONG).await?;
    same!(claimed.len(), 2, "the first of each, now held");
    same!(
        world.deliverable(now).await?,
        [],
        "while they are under way"
    );

    let later = now.plus_seconds(500);
    store
        .queue
        .release(lease_in(&claimed, other[0])?, later)
        .await?;
    same!(
        world.deliverable(later).await?,
        [other[0]],
        "put off, it stays the first"
    );
    world
        .record(events[0], lease_in(&claimed, events[0])?, Ok(200))
        .await?;
    same!(
        world.deliverable(now).await?,
        [events[1]],
        "after a success"
    );
    world.attempt(events[1], Err(SendError::Timeout)).await?;
    same!(
        world.deliverable(now).await?,
        [events[2]],
        "after a failure"
    );
    let lease = world.lease_on(events[2], (now, LONG)).await?;
    let delivery = world.delivery(events[2]).await?;
    store
        .webhooks
        .record(&world.build.given_up((lease, &delivery)))
        .await?;
    same!(
        world.delivery(events[2]).await?.state,
        DeliveryState::Dead,
        "given up"
    );
    same!(
        world.deliverable(now).await?,
        [events[3]],
        "after one that was given up untried"
    );
    Ok(())
}

/// What has failed is tried again when its time has come, whatever else of its session is under
/// way or waits; and nothing waits for it.
pub async fn retries_wait_for_nothing(store: &Store) -> anyhow::Result<()> {
    let world = World::new(store).await?;
    let session = world.session().await?;
    let (session, first) = world.tell(&session).await?;
    world.endpoint().await?;
    let (session, second) = world.tell(&session).await?;
    let (_, third) = world.tell(&session).await?;
    world.attempt(second, Ok(500)).await?;
    let now = world.build.now();
    // The first has had no attempt yet: from here on the third waits for it.
    store
        .webhooks
        .redeliver(world.merchant.id, first, now)
        .await?;
    same!(
        world.deliverable(now).await?,
        [first],
        "before the retry's time"
    );
    let retry_at = now.plus_seconds(60);
    let micro = time::Duration::microseconds(-1);
    let held = world.take_deliveries(retry_at.plus(micro), LONG).await?;
    same!(held.len(), 1, "just before, the first alone");
    same!(
        world.deliverable(retry_at).await?,
        [second],
        "the retry's time, while the first is under way"
    );
    world
        .record(first, lease_in(&held, first)?, Ok(500))
        .await?;
    same!(
        world.deliverable(retry_at).await?,
        sorted([first, second, third]),
        "all of them"
    );
    Ok(())
}

/// Nothing that is over is handed out, and nothing before its time.
pub async fn only_due_deliveries_are_claimed(store: &Store) -> anyhow::Result<()> {
    let world = World::new(store).await?;
    world.endpoint().await?;
    let start = world.build.now();
    let taken = world.told(&world.merchant).await?;
    world.attempt(taken, Ok(200)).await?;
    world.build.advance(10);
    let open = world.told(&world.merchant).await?;
    same!(
        world.deliverable(start.plus_seconds(9)).await?,
        [],
        "before it has happened"
    );
    same!(
        world.deliverable(start.plus_seconds(10)).await?,
        [open],
        "once it has"
    );
    let lease = world.lease_on(open, (world.build.now(), LONG)).await?;
    store.queue.release(lease, start.plus_seconds(100)).await?;
    same!(
        world.deliverable(start.plus_seconds(99)).await?,
        [],
        "put off"
    );
    same!(
        world.deliverable(start.plus_seconds(100)).await?,
        [open],
        "its new time"
    );
    let claim = (start.plus_seconds(100), LONG);
    let lease = world.lease_on(open, claim).await?;
    world.record(open, lease, Ok(200)).await?;
    store.queue.release(lease, start).await?;
    let never = start.plus_seconds(10_000_000);
    same!(
        world.deliverable(never).await?,
        [],
        "what is over is not given back"
    );
    Ok(())
}

/// The oldest first, no more than asked for of one merchant or in all, none of those who are busy.
pub async fn deliveries_are_shared_out(store: &Store) -> anyhow::Result<()> {
    let world = World::new(store).await?;
    let (two, two_key) = world.other_shop().await?;
    let (three, three_key) = world.other_shop().await?;
    world.endpoint().await?;
    for shop in [(&two, &two_key), (&three, &three_key)] {
        world
            .endpoint_at(shop, "https://many.example.com/hook")
            .await?;
    }
    let one = world.merchant.clone();
    let mut rows: Vec<(EventId, MerchantId)> = Vec::new();
    let shops = [
        &one, &one, &one, &one, &one, &two, &one, &two, &three, &one, &two,
    ];
    for shop in shops {
        rows.push((world.told(shop).await?, shop.id));
        world.build.advance(1);
    }
    let now = world.build.now();
    let all = [one.id, two.id, three.id];
    for (limit, each, busy) in [
        (1000, 1000, &all[..0]),
        (1000, 2, &all[..0]),
        (3, 2, &all[..0]),
        (4, 1000, &all[..0]),
        (1000, 1000, &all[..1]),
        (2, 1, &all[..1]),
        (1000, 1, &all[1..]),
        (1000, 1000, &all[..]),
    ] {
        let mut wanted: Vec<EventId> = Vec::new();
        for merchant in all {
            let mine = rows.iter().filter(|(_, owner)| *owner == merchant);
            let mine = mine.filter(|_| !busy.contains(&merchant));
            wanted.extend(mine.take(each as usize).map(|(event, _)| *event));
        }
        let place = |event: &EventId| rows.iter().position(|(other, _)| other == event);
        wanted.sort_by_key(place);
        wanted.truncate(limit as usize);
        let asked = WantedDeliveries {
            limit,
            each,
            busy: busy.to_vec(),
        };
        let claimed = store.queue.claim_deliveries(now, &asked, OVER).await?;
        let events: Vec<EventId> = claimed.iter().map(|claimed| claimed.event).collect();
        same!(
            events,
            wanted,
            "of {limit}, {each} each, without {}",
            busy.len()
        );
        for claim in claimed {
            let owner = rows.iter().find(|(event, _)| *event == claim.event);
            same!(
                Some(claim.merchant),
                owner.map(|(_, owner)| *owner),
                "whose it is"
            );
            same!(
                claim.lease.item,
                LeasedItem::Delivery(claim.event),
                "what is leased"
            );
        }
    }
    Ok(())
}

/// A merchant with hundreds of due deliveries stands before nobody, busy or not.
pub async fn a_backlog_stands_before_nobody(store: &Store) -> anyhow::Result<()> {
    let world = World::new(store).await?;
    let (other, other_key) = world.other_shop().await?;
    world.endpoint().await?;
    world
        .endpoint_at((&other, &other_key), "https://few.example.com/hook")
        .await?;
    for _ in 0..8 {
        world.told_often(40).await?;
    }
    for _ in 0..60 {
        world.told(&world.merchant).await?;
    }
    world.build.advance(1);
    let few = world.told(&other).await?;
    let now = world.build.now();
    let theirs = |claimed: &[oncharge_ports::work_queue::ClaimedDelivery]| {
        claimed.iter().filter(|claim| claim.event == few).count()
    };
    for (limit, each, busy) in [(5, 4, vec![]), (5, 5, vec![world.merchant.id])] {
        let asked = WantedDeliveries { limit, each, busy };
        let claimed = store.queue.claim_deliveries(now, &asked, OVER).await?;
        same!(theirs(&claimed), 1, "the other's, with {asked:?}");
    }
    Ok(())
}

/// Eight workers at once: each delivery goes to one of them, and of each session one at a time.
pub async fn no_delivery_is_leased_twice(store: &Store) -> anyhow::Result<()> {
    let world = World::new(store).await?;
    world.endpoint().await?;
    let mut first = Vec::new();
    for _ in 0..30 {
        first.push(world.told_often(2).await?[0]);
    }
    let now = world.build.now();
    let mut tasks = JoinSet::new();
    for _ in 0..8 {
        let queue = store.queue.clone();
        tasks.spawn(async move {
            let asked = WantedDeliveries { limit: 7, ..any() };
            let mut mine = Vec::new();
            loop {
                let claimed = queue.claim_deliveries(now, &asked, LONG).await?;
                // A store that hands out without end has failed long before this.
                if claimed.is_empty() || mine.len() > 100 {
                    return anyhow::Ok(mine);
                }
                mine.extend(claimed);
            }
        });
    }
    let mut claimed = Vec::new();
    for worker in tasks.join_all().await {
        claimed.extend(worker?);
    }
    // A worker may see nothing while others hold the rows that are left; nothing is lost by that.
    claimed.extend(world.take_deliveries(now, LONG).await?);
    same!(claimed.len(), 30, "claims");
    let tokens: HashSet<_> = claimed.iter().map(|claim| claim.lease.token).collect();
    let events = sorted(claimed.iter().map(|claim| claim.event));
    same!(events, sorted(first), "the first of each session");
    ensure!(!tokens.is_empty(), "no token");
    Ok(())
}

/// What a worker that died has claimed goes to the next one; a lease that is renewed holds.
pub async fn a_lapsed_delivery_is_claimed_again(store: &Store) -> anyhow::Result<()> {
    let world = World::new(store).await?;
    world.endpoint().await?;
    let event = world.told(&world.merchant).await?;
    let (queue, now) = (&store.queue, world.build.now());
    let mut tokens = HashSet::new();
    for _ in 0..3 {
        let lease = world.lease_on(event, (now, OVER)).await?;
        ensure!(
            tokens.insert(lease.token.to_string()),
            "a token was given twice"
        );
        same!(
            queue.renew(lease, LONG).await?,
            false,
            "a lease that is over"
        );
    }
    let over = world.lease_on(event, (now, OVER)).await?;
    queue.release(over, now.plus_seconds(1000)).await?;
    let held = world.lease_on(event, (now, LONG)).await?;
    queue.release(over, now).await?;
    same!(queue.renew(held, LONG).await?, true, "a lease that holds");
    same!(world.deliverable(now).await?, [], "while it holds");
    same!(queue.renew(held, OVER).await?, true, "shortened");
    same!(world.deliverable(now).await?, [event], "once it is over");
    Ok(())
}
