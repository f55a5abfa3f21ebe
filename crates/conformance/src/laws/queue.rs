//! The work queue: what is due, in which order, how often.

use std::time::Duration;

use anyhow::{Context, ensure};
use oncharge_domain::{
    id::{NotificationId, OperationId, SessionId},
    operation::{Operation, OperationStatus, Sending},
    psp::PspAccount,
    time::Timestamp,
};
use oncharge_ports::{
    unit_of_work::{ChangedOperation, Lease},
    work_queue::{AccountName, Queue, WantedItems},
};

use crate::{
    Store,
    generate::{self, Draw},
    world::{World, failed, webhooks::lease_in},
};

const LONG: Duration = Duration::from_secs(100_000_000);
const OVER: Duration = Duration::ZERO;

async fn claim(world: &World, now: Timestamp) -> anyhow::Result<Vec<(OperationId, Lease)>> {
    let claimed = world
        .store
        .queue
        .claim_operations(now, &WantedItems::up_to(100), LONG)
        .await?;
    let pair =
        |claimed: &oncharge_ports::work_queue::ClaimedOperation| (claimed.operation, claimed.lease);
    Ok(claimed.iter().map(pair).collect())
}

async fn due(world: &World, now: Timestamp) -> anyhow::Result<Vec<OperationId>> {
    let claimed = claim(world, now).await?;
    Ok(claimed
        .into_iter()
        .map(|(operation, _)| operation)
        .collect())
}

/// Not a moment before its time, and after a release or a change not before the new one.
pub async fn only_what_is_due_is_claimed(store: &Store) -> anyhow::Result<()> {
    let world = World::new(store).await?;
    let start = world.build.now();
    // The builder's intents are due ten seconds after their creation.
    let (session, one) = world.paying().await?;
    world.build.advance(10);
    let (_, two) = world.paying().await?;
    same!(due(&world, start.plus_seconds(9)).await?, [], "too early");
    let claimed = claim(&world, start.plus_seconds(10)).await?;
    same!(claimed.len(), 1, "due at ten seconds");
    same!(claimed[0].0, one.id, "the first");
    same!(
        due(&world, start.plus_seconds(20)).await?,
        [two.id],
        "the second"
    );

    world
        .store
        .queue
        .release(claimed[0].1, start.plus_seconds(100))
        .await?;
    same!(
        due(&world, start.plus_seconds(99)).await?,
        [],
        "released for later"
    );
    let claimed = claim(&world, start.plus_seconds(100)).await?;
    same!(
        claimed.first().map(|claimed| claimed.0),
        Some(one.id),
        "due again"
    );
    world
        .store
        .queue
        .release(claimed[0].1, start.plus_seconds(100))
        .await?;

    let changed = |next_try_at| ChangedOperation {
        operation: Operation {
            sending: Sending::Unknown,
            ..one.clone()
        },
        next_try_at,
    };
    let mut unit = world.build.next_unit(&session);
    unit.changed_operations = vec![changed(Some(start.plus_seconds(500)))];
    let session = unit.session.clone();
    world.commit(unit).await?;
    same!(
        due(&world, start.plus_seconds(499)).await?,
        [],
        "put off by a change"
    );
    let mut unit = world.build.next_unit(&session);
    unit.changed_operations = vec![changed(None)];
    world.commit(unit).await?;
    same!(
        due(&world, start.plus_seconds(499)).await?,
        [],
        "left as it was"
    );
    same!(
        due(&world, start.plus_seconds(500)).await?,
        [one.id],
        "due at last"
    );
    Ok(())
}

/// What a claim goes by is the clock that the store says it has, wherever that stands.
pub async fn a_claim_goes_by_the_stores_clock(store: &Store) -> anyhow::Result<()> {
    let world = World::new(store).await?;
    // The builder's intents are due ten seconds after their creation.
    let (session, one) = world.paying().await?;
    let created = world.build.now();
    for (seconds, found) in [(9, &[][..]), (10, &[one.id][..]), (-9, &[])] {
        let now = created.plus_seconds(seconds);
        let queue = store.queue.at(now).await?;
        same!(queue.now().await?, now, "the clock");
        let claimed = queue
            .claim_operations(&WantedItems::up_to(10), OVER)
            .await?;
        let claimed: Vec<OperationId> = claimed.iter().map(|item| item.operation).collect();
        same!(claimed, found, "at {seconds} s");
    }
    let queue = store.queue.at(session.expires_at.plus_seconds(7)).await?;
    let claimed = queue.claim_sessions(&WantedItems::up_to(10), OVER).await?;
    let due: Vec<Timestamp> = claimed.iter().map(|item| item.due_at).collect();
    same!(due, [session.expires_at], "the deadline that has come");
    Ok(())
}

/// The oldest come first, no more than asked for, and each claim is counted.
pub async fn claims_are_counted_and_limited(store: &Store) -> anyhow::Result<()> {
    let world = World::new(store).await?;
    let mut attempts = Vec::new();
    for _ in 0..5 {
        attempts.push(world.paying().await?.1.id);
        world.build.advance(1);
    }
    let (queue, now) = (&world.store.queue, world.build.now().plus_seconds(60));
    for tries in 1..=2 {
        let claimed = queue
            .claim_operations(now, &WantedItems::up_to(2), OVER)
            .await?;
        let ids: Vec<OperationId> = claimed.iter().map(|claimed| claimed.operation).collect();
        same!(ids, attempts[..2], "the two oldest");
        ensure!(
            claimed.iter().all(|claimed| claimed.tries == tries),
            "{claimed:?}"
        );
        let items = claimed.iter().all(|claimed| {
            let item = oncharge_ports::unit_of_work::LeasedItem::Operation(claimed.operation);
            claimed.lease.item == item
        });
        ensure!(items, "a lease names its item");
    }
    let claimed = queue
        .claim_operations(now, &WantedItems::up_to(2), LONG)
        .await?;
    same!(claimed.len(), 2, "claims");
    same!(due(&world, now).await?, attempts[2..], "the rest");
    Ok(())
}

/// What has ended is out of the queue, and giving it back does not bring it in again.
pub async fn final_operations_are_never_claimed(store: &Store) -> anyhow::Result<()> {
    let world = World::new(store).await?;
    let now = world.build.now().plus_seconds(60);
    let (session, attempt) = world.paying().await?;
    let claimed = claim(&world, now).await?;
    same!(claimed.len(), 1, "while it is open");
    world.change(&session, failed(&attempt)).await?;
    world.store.queue.release(claimed[0].1, now).await?;
    same!(
        due(&world, now.plus_seconds(1_000_000)).await?,
        [],
        "once it is final"
    );
    world.store.queue.wake_all(now).await?;
    same!(due(&world, now.plus_seconds(1_000_000)).await?, [], "woken");
    Ok(())
}

/// A session is handed out from its `due_at` on, not a microsecond before, in every status.
pub async fn sessions_are_due_when_they_say(store: &Store) -> anyhow::Result<()> {
    let (world, mut draw) = (World::new(store).await?, Draw::new());
    let far = Timestamp::from_unix_micros(253_402_300_799_999_999).unwrap();
    for _ in 0..60 {
        let unpaid = generate::session(&mut draw, &world.build, &world.merchant);
        world.commit(world.build.unit(unpaid.clone())).await?;
        same!(
            claims(&world, unpaid.expires_at, unpaid.id).await?,
            true,
            "a new session"
        );
        // Another one, since the lease above is not over at an earlier time.
        let new = generate::session(&mut draw, &world.build, &world.merchant);
        world.commit(world.build.unit(new.clone())).await?;
        let later = generate::later(&mut draw, &new);
        world.commit(world.build.unit(later.clone())).await?;
        match later.due_at() {
            None => same!(
                claims(&world, far, new.id).await?,
                false,
                "{:?}",
                later.status
            ),
            Some(at) => {
                let before = at.plus(time::Duration::microseconds(-1));
                same!(
                    claims(&world, before, new.id).await?,
                    false,
                    "before {:?}",
                    later.status
                );
                same!(
                    claims(&world, at, new.id).await?,
                    true,
                    "{:?}",
                    later.status
                );
            }
        }
    }
    Ok(())
}

async fn claims(world: &World, now: Timestamp, id: SessionId) -> anyhow::Result<bool> {
    let claimed = world
        .store
        .queue
        .claim_sessions(now, &WantedItems::up_to(1000), OVER)
        .await?;
    Ok(claimed.iter().any(|claimed| claimed.session == id))
}

/// Each item says whose account it goes to, and those of busy accounts are left out, however many
/// they are and however long they wait: operations, sessions and notifications alike.
pub async fn busy_accounts_are_left_out(store: &Store) -> anyhow::Result<()> {
    let world = World::new(store).await?;
    let mut accounts = vec![world.merchant.account.clone()];
    accounts.push(PspAccount::new("simulator", "default-2")?);
    accounts.push(PspAccount::new("simulator-2", "default")?);
    let mut rows: Vec<(AccountName, OperationId, SessionId, NotificationId)> = Vec::new();
    for index in [0, 0, 0, 1, 0, 2, 0, 1] {
        let account = &accounts[index];
        let mut session = world.build.session(&world.merchant);
        session.account = account.clone();
        world.commit(world.build.unit(session.clone())).await?;
        let attempt = world.build.attempt(&session, "tok_1");
        world.start(&session, attempt.clone()).await?;
        let key = rows.len().to_string();
        let notification = world.build.notification_of(account, Some(&key));
        store.inbox.receive(&notification).await?;
        let name = AccountName::of(account);
        rows.push((name, attempt.id, session.id, notification.id));
        world.build.advance(1);
    }
    let now = world.build.now().plus_seconds(100_000);
    let names: Vec<AccountName> = accounts.iter().map(AccountName::of).collect();
    for (limit, busy) in [
        (100, &names[..0]),
        (100, &names[..1]),
        (2, &names[..1]),
        (100, &names[1..]),
        (100, &names[..]),
    ] {
        let asked = WantedItems {
            limit,
            busy: busy.to_vec(),
        };
        let mut left = rows.clone();
        left.retain(|(account, ..)| !busy.contains(account));
        left.truncate(limit as usize);
        let without = format!("{limit}, without {busy:?}");
        let claimed = store.queue.claim_operations(now, &asked, OVER).await?;
        let claimed = claimed
            .into_iter()
            .map(|item| (item.account, item.operation));
        let wanted = left.iter().map(|row| (row.0.clone(), row.1));
        same!(
            claimed.collect::<Vec<_>>(),
            wanted.collect::<Vec<_>>(),
            "operations: {without}"
        );
        let claimed = store.queue.claim_sessions(now, &asked, OVER).await?;
        let claimed = claimed.into_iter().map(|item| (item.account, item.session));
        let wanted = left.iter().map(|row| (row.0.clone(), row.2));
        same!(
            claimed.collect::<Vec<_>>(),
            wanted.collect::<Vec<_>>(),
            "sessions: {without}"
        );
        let claimed = store.queue.claim_notifications(now, &asked, OVER).await?;
        let claimed = claimed
            .into_iter()
            .map(|item| (item.account, item.notification));
        let wanted = left.iter().map(|row| (row.0.clone(), row.3));
        same!(
            claimed.collect::<Vec<_>>(),
            wanted.collect::<Vec<_>>(),
            "notifications: {without}"
        );
    }
    Ok(())
}

/// Everything open is due at once, except what somebody holds.
pub async fn wake_all_spares_what_is_held(store: &Store) -> anyhow::Result<()> {
    let world = World::new(store).await?;
    let (_, held) = world.paying().await?;
    let now = world.build.now().plus_seconds(10);
    same!(due(&world, now).await?, [held.id], "the one to hold");
    world.build.advance(3600);
    let (_, waiting) = world.paying().await?;
    let (session, ended) = world.paying().await?;
    world.change(&session, failed(&ended)).await?;
    same!(due(&world, now).await?, [], "before");
    world.store.queue.wake_all(now).await?;
    same!(due(&world, now).await?, [waiting.id], "after");
    Ok(())
}

/// Open operations, and the creation of the oldest.
pub async fn depth_counts_open_operations(store: &Store) -> anyhow::Result<()> {
    let world = World::new(store).await?;
    let depth = async || -> anyhow::Result<(u64, Option<Timestamp>)> {
        let depths = store.queue.depths(world.build.now()).await?;
        let mine = depths.iter().find(|depth| depth.queue == Queue::Operations);
        let mine = mine.context("a depth of the operations")?;
        Ok((mine.depth, mine.oldest))
    };
    same!(depth().await?, (0, None), "nothing");
    let start = world.build.now();
    let (session, first) = world.paying().await?;
    world.build.advance(5);
    world.paying().await?;
    same!(depth().await?, (2, Some(start)), "two");
    let done = Operation {
        status: OperationStatus::Succeeded,
        ..first
    };
    world.change(&session, done).await?;
    same!(depth().await?, (1, Some(start.plus_seconds(5))), "one");
    Ok(())
}

/// How much of each, and since when the oldest waits.
pub async fn depths_count_what_waits(store: &Store) -> anyhow::Result<()> {
    let world = World::new(store).await?;
    let start = world.build.now();
    let expect = async |queue: Queue, now, wanted: (u64, Option<i64>)| -> anyhow::Result<()> {
        let depths = store.queue.depths(now).await?;
        let found: Vec<_> = depths.iter().filter(|depth| depth.queue == queue).collect();
        same!(found.len(), 1, "entries of {queue:?}");
        let oldest = wanted.1.map(|seconds| start.plus_seconds(seconds));
        same!(
            (found[0].depth, found[0].oldest),
            (wanted.0, oldest),
            "{queue:?}"
        );
        Ok(())
    };
    for queue in Queue::ALL {
        expect(*queue, start, (0, None)).await?;
    }
    world.endpoint().await?;
    let first = world.told(&world.merchant).await?;
    let noted = world.notified("a").await?;
    let unverified = world.build.notification_of(&world.merchant.account, None);
    store.inbox.receive(&unverified).await?;
    world.build.advance(5);
    let second = world.told(&world.merchant).await?;
    world.notified("b").await?;
    let now = world.build.now();
    expect(Queue::Deliveries, now, (2, Some(0))).await?;
    expect(Queue::Inbox, now, (2, Some(0))).await?;
    expect(Queue::Deadlines, now, (0, None)).await?;
    for (seconds, wanted) in [
        (1799, (0, None)),
        (1800, (1, Some(1800))),
        (1805, (2, Some(1800))),
    ] {
        expect(Queue::Deadlines, start.plus_seconds(seconds), wanted).await?;
    }
    let mut unit = world.build.next_unit(&world.session().await?);
    unit.handled = Some(noted.id);
    world.commit(unit).await?;
    expect(Queue::Inbox, now, (1, Some(5))).await?;
    let claimed = world.take_deliveries(now, LONG).await?;
    expect(Queue::Deliveries, now, (2, Some(0))).await?;
    let lease = |event| lease_in(&claimed, event);
    world.record(first, lease(first)?, Ok(200)).await?;
    expect(Queue::Deliveries, now, (1, Some(5))).await?;
    world.record(second, lease(second)?, Ok(500)).await?;
    expect(Queue::Deliveries, now, (1, Some(5))).await?;
    world.remove(&world.merchant).await?;
    expect(Queue::Deliveries, now, (0, None)).await
}
