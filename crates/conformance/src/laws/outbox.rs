//! Claims of deliveries: first attempts in order, fair across merchants, one lease at a time.

use std::collections::HashSet;

use anyhow::ensure;
use oncharge_domain::{
    id::{EventId, MerchantId},
    webhook::{DeliveryState, SendError},
};
use oncharge_ports::{unit_of_work::LeasedItem, work_queue::DeliveryClaimFilter};
use tokio::task::JoinSet;

use crate::{
    TestedStore,
    fixture::{
        Fixture,
        webhooks::{EXPIRED, LONG, any, lease_of, sorted},
    },
};

/// The first attempt of a session's next event can start when that of the one before has ended,
/// successfully or not: not while that is in progress, after its worker crashed, or while it is
/// postponed. Other sessions do not wait.
pub async fn first_attempts_go_out_in_order(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    fixture.endpoint().await?;
    let events = fixture.new_events(4).await?;
    let other = fixture.new_events(2).await?;
    let now = fixture.build.now();
    ensure_eq!(
        fixture.claimable_events(now).await?,
        sorted([events[0], other[0]]),
        "the first event of each session"
    );
    ensure_eq!(
        fixture.claimable_events(now).await?,
        sorted([events[0], other[0]]),
        "the first event of each session, after the lease has expired"
    );
    let claimed = fixture.claim_deliveries(now, LONG).await?;
    ensure_eq!(claimed.len(), 2, "the number of claims");
    ensure_eq!(
        fixture.claimable_events(now).await?,
        [],
        "the claimable events while the first ones are leased"
    );

    let later = now.plus_seconds(500);
    store
        .queue
        .release(lease_of(&claimed, other[0])?, later)
        .await?;
    ensure_eq!(
        fixture.claimable_events(later).await?,
        [other[0]],
        "the claimable events after the first one was postponed"
    );
    fixture
        .record(events[0], lease_of(&claimed, events[0])?, Ok(200))
        .await?;
    ensure_eq!(
        fixture.claimable_events(now).await?,
        [events[1]],
        "the claimable events after a success"
    );
    fixture.attempt(events[1], Err(SendError::Timeout)).await?;
    ensure_eq!(
        fixture.claimable_events(now).await?,
        [events[2]],
        "the claimable events after a failure"
    );
    let lease = fixture.claim_delivery(events[2], now, LONG).await?;
    let delivery = fixture.delivery(events[2]).await?;
    store
        .webhooks
        .record(&fixture.build.record_without_attempt(lease, &delivery))
        .await?;
    ensure_eq!(
        fixture.delivery(events[2]).await?.state,
        DeliveryState::Dead,
        "the state of a delivery that was not attempted"
    );
    ensure_eq!(
        fixture.claimable_events(now).await?,
        [events[3]],
        "the claimable events after a delivery ended without an attempt"
    );
    Ok(())
}

/// A failed delivery is retried when it is due, whatever other deliveries of its session are in
/// progress or waiting; and no delivery waits for it.
pub async fn retries_are_not_ordered(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let session = fixture.session().await?;
    let (session, first) = fixture.add_event(&session).await?;
    fixture.endpoint().await?;
    let (session, second) = fixture.add_event(&session).await?;
    let (_, third) = fixture.add_event(&session).await?;
    fixture.attempt(second, Ok(500)).await?;
    let now = fixture.build.now();
    // The first delivery has had no attempt yet: from here on the third waits for it.
    store
        .webhooks
        .redeliver(fixture.merchant.id, first, now)
        .await?;
    ensure_eq!(
        fixture.claimable_events(now).await?,
        [first],
        "the claimable events before the retry is due"
    );
    let retry_at = now.plus_seconds(60);
    let micro = time::Duration::microseconds(-1);
    let held = fixture.claim_deliveries(retry_at.plus(micro), LONG).await?;
    ensure_eq!(
        held.len(),
        1,
        "the number of claims just before the retry is due"
    );
    ensure_eq!(
        fixture.claimable_events(retry_at).await?,
        [second],
        "the claimable events when the retry is due and the first attempt is in progress"
    );
    fixture
        .record(first, lease_of(&held, first)?, Ok(500))
        .await?;
    ensure_eq!(
        fixture.claimable_events(retry_at).await?,
        sorted([first, second, third]),
        "the claimable events when no lease is held"
    );
    Ok(())
}

/// No delivery is claimed after its end or before its due time.
pub async fn only_due_deliveries_are_claimed(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    fixture.endpoint().await?;
    let start = fixture.build.now();
    let taken = fixture.new_event(&fixture.merchant).await?;
    fixture.attempt(taken, Ok(200)).await?;
    fixture.build.advance(10);
    let open = fixture.new_event(&fixture.merchant).await?;
    ensure_eq!(
        fixture.claimable_events(start.plus_seconds(9)).await?,
        [],
        "the claimable events before the time of the event"
    );
    ensure_eq!(
        fixture.claimable_events(start.plus_seconds(10)).await?,
        [open],
        "the claimable events at the time of the event"
    );
    let lease = fixture
        .claim_delivery(open, fixture.build.now(), LONG)
        .await?;
    store.queue.release(lease, start.plus_seconds(100)).await?;
    ensure_eq!(
        fixture.claimable_events(start.plus_seconds(99)).await?,
        [],
        "the claimable events before the new due time"
    );
    ensure_eq!(
        fixture.claimable_events(start.plus_seconds(100)).await?,
        [open],
        "the claimable events at the new due time"
    );
    let lease = fixture
        .claim_delivery(open, start.plus_seconds(100), LONG)
        .await?;
    fixture.record(open, lease, Ok(200)).await?;
    store.queue.release(lease, start).await?;
    let never = start.plus_seconds(10_000_000);
    ensure_eq!(
        fixture.claimable_events(never).await?,
        [],
        "the claimable events after the delivery ended"
    );
    Ok(())
}

/// The oldest are claimed first, up to the limits per merchant and in total, none of busy
/// merchants.
pub async fn deliveries_are_limited_per_merchant(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let (two, two_key) = fixture.other_merchant_with_key().await?;
    let (three, three_key) = fixture.other_merchant_with_key().await?;
    fixture.endpoint().await?;
    for (merchant, key) in [(&two, &two_key), (&three, &three_key)] {
        fixture
            .endpoint_at(merchant, key, "https://many.example.com/hook")
            .await?;
    }
    let one = fixture.merchant.clone();
    let mut rows: Vec<(EventId, MerchantId)> = Vec::new();
    let shops = [
        &one, &one, &one, &one, &one, &two, &one, &two, &three, &one, &two,
    ];
    for shop in shops {
        rows.push((fixture.new_event(shop).await?, shop.id));
        fixture.build.advance(1);
    }
    let now = fixture.build.now();
    let all = [one.id, two.id, three.id];
    for (limit, per_merchant, busy) in [
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
            wanted.extend(mine.take(per_merchant as usize).map(|(event, _)| *event));
        }
        let place = |event: &EventId| rows.iter().position(|(other, _)| other == event);
        wanted.sort_by_key(place);
        wanted.truncate(limit as usize);
        let asked = DeliveryClaimFilter {
            limit,
            per_merchant,
            busy: busy.to_vec(),
        };
        let claimed = store.queue.claim_deliveries(now, &asked, EXPIRED).await?;
        let events: Vec<EventId> = claimed.iter().map(|claimed| claimed.event).collect();
        ensure_eq!(
            events,
            wanted,
            "the events with limit {limit}, {per_merchant} per merchant and {} busy merchants",
            busy.len()
        );
        for claim in claimed {
            let owner = rows.iter().find(|(event, _)| *event == claim.event);
            ensure_eq!(
                Some(claim.merchant),
                owner.map(|(_, owner)| *owner),
                "the merchant of the claim"
            );
            ensure_eq!(
                claim.lease.item,
                LeasedItem::Delivery(claim.event),
                "the leased item"
            );
        }
    }
    Ok(())
}

/// A merchant with hundreds of due deliveries delays no other merchant, busy or not.
pub async fn a_backlog_does_not_block_other_merchants(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let (other, other_key) = fixture.other_merchant_with_key().await?;
    fixture.endpoint().await?;
    fixture
        .endpoint_at(&other, &other_key, "https://few.example.com/hook")
        .await?;
    for _ in 0..8 {
        fixture.new_events(40).await?;
    }
    for _ in 0..60 {
        fixture.new_event(&fixture.merchant).await?;
    }
    fixture.build.advance(1);
    let few = fixture.new_event(&other).await?;
    let now = fixture.build.now();
    let theirs = |claimed: &[oncharge_ports::work_queue::ClaimedDelivery]| {
        claimed.iter().filter(|claim| claim.event == few).count()
    };
    for (limit, per_merchant, busy) in [(5, 4, vec![]), (5, 5, vec![fixture.merchant.id])] {
        let asked = DeliveryClaimFilter {
            limit,
            per_merchant,
            busy,
        };
        let claimed = store.queue.claim_deliveries(now, &asked, EXPIRED).await?;
        ensure_eq!(
            theirs(&claimed),
            1,
            "the other merchant's claims with {asked:?}"
        );
    }
    Ok(())
}

/// Of eight concurrent workers, each delivery is claimed by one, and of each session one at a time.
pub async fn no_delivery_is_leased_twice(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    fixture.endpoint().await?;
    let mut first = Vec::new();
    for _ in 0..30 {
        first.push(fixture.new_events(2).await?[0]);
    }
    let now = fixture.build.now();
    let mut tasks = JoinSet::new();
    for _ in 0..8 {
        let queue = store.queue.clone();
        tasks.spawn(async move {
            let asked = DeliveryClaimFilter { limit: 7, ..any() };
            let mut mine = Vec::new();
            loop {
                let claimed = queue.claim_deliveries(now, &asked, LONG).await?;
                // A store that never stops returning claims has already failed at this number.
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
    // A worker may find nothing while others hold the rows that are left; they can be claimed
    // later.
    claimed.extend(fixture.claim_deliveries(now, LONG).await?);
    ensure_eq!(claimed.len(), 30, "the number of claims");
    let tokens: HashSet<_> = claimed.iter().map(|claim| claim.lease.token).collect();
    let events = sorted(claimed.iter().map(|claim| claim.event));
    ensure_eq!(events, sorted(first), "the first event of each session");
    ensure!(!tokens.is_empty(), "no claim has a token");
    Ok(())
}

/// The delivery of a crashed worker is claimed by the next one; a renewed lease is held.
pub async fn a_delivery_with_an_expired_lease_can_be_claimed(
    store: &TestedStore,
) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    fixture.endpoint().await?;
    let event = fixture.new_event(&fixture.merchant).await?;
    let (queue, now) = (&store.queue, fixture.build.now());
    let mut tokens = HashSet::new();
    for _ in 0..3 {
        let lease = fixture.claim_delivery(event, now, EXPIRED).await?;
        ensure!(
            tokens.insert(lease.token.to_string()),
            "a lease token was issued twice"
        );
        ensure_eq!(
            queue.renew(lease, LONG).await?,
            false,
            "the renewal of an expired lease"
        );
    }
    let over = fixture.claim_delivery(event, now, EXPIRED).await?;
    queue.release(over, now.plus_seconds(1000)).await?;
    let held = fixture.claim_delivery(event, now, LONG).await?;
    queue.release(over, now).await?;
    ensure_eq!(
        queue.renew(held, LONG).await?,
        true,
        "the renewal of a valid lease"
    );
    ensure_eq!(
        fixture.claimable_events(now).await?,
        [],
        "the claimable events while the lease is held"
    );
    ensure_eq!(
        queue.renew(held, EXPIRED).await?,
        true,
        "the shortening of a valid lease"
    );
    ensure_eq!(
        fixture.claimable_events(now).await?,
        [event],
        "the claimable events once the lease has expired"
    );
    Ok(())
}
