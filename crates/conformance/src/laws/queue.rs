//! The work queue: which items are due, in which order, and how often they were claimed.

use std::time::Duration;

use anyhow::{Context, ensure};
use oncharge_domain::{
    id::{NotificationId, OperationId, SessionId},
    operation::{Operation, OperationStatus, SendState},
    psp::PspAccount,
    time::Timestamp,
};
use oncharge_ports::{
    unit_of_work::{ChangedOperation, Lease},
    work_queue::{AccountName, ClaimFilter, QueueName},
};

use crate::{
    TestedStore,
    fixture::{Fixture, failed, webhooks::lease_of},
    generate::{self, Draw},
};

const LONG: Duration = Duration::from_secs(100_000_000);
const EXPIRED: Duration = Duration::ZERO;

async fn claim(fixture: &Fixture, now: Timestamp) -> anyhow::Result<Vec<(OperationId, Lease)>> {
    let claimed = fixture
        .store
        .queue
        .claim_operations(now, &ClaimFilter::up_to(100), LONG)
        .await?;
    let pair =
        |claimed: &oncharge_ports::work_queue::ClaimedOperation| (claimed.operation, claimed.lease);
    Ok(claimed.iter().map(pair).collect())
}

async fn due(fixture: &Fixture, now: Timestamp) -> anyhow::Result<Vec<OperationId>> {
    let claimed = claim(fixture, now).await?;
    Ok(claimed
        .into_iter()
        .map(|(operation, _)| operation)
        .collect())
}

/// Nothing is claimed before its due time, nor before its new one after a release or a change.
pub async fn only_what_is_due_is_claimed(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let start = fixture.build.now();
    // The builder's intents are due ten seconds after their creation.
    let (session, one) = fixture.session_with_attempt().await?;
    fixture.build.advance(10);
    let (_, two) = fixture.session_with_attempt().await?;
    ensure_eq!(
        due(&fixture, start.plus_seconds(9)).await?,
        [],
        "the operations due after 9 s"
    );
    let claimed = claim(&fixture, start.plus_seconds(10)).await?;
    ensure_eq!(claimed.len(), 1, "the number of operations due after 10 s");
    ensure_eq!(claimed[0].0, one.id, "the first operation");
    let later = due(&fixture, start.plus_seconds(20)).await?;
    ensure_eq!(later, [two.id], "the operations due after 20 s");

    fixture
        .store
        .queue
        .release(claimed[0].1, start.plus_seconds(100))
        .await?;
    ensure_eq!(
        due(&fixture, start.plus_seconds(99)).await?,
        [],
        "the operations due before the released one"
    );
    let claimed = claim(&fixture, start.plus_seconds(100)).await?;
    ensure_eq!(
        claimed.first().map(|claimed| claimed.0),
        Some(one.id),
        "the operation that is due again"
    );
    fixture
        .store
        .queue
        .release(claimed[0].1, start.plus_seconds(100))
        .await?;

    let changed = |next_try_at| ChangedOperation {
        operation: Operation {
            sending: SendState::Unknown,
            ..one.clone()
        },
        next_try_at,
    };
    let mut unit = fixture.build.next_unit(&session);
    unit.changed_operations = vec![changed(Some(start.plus_seconds(500)))];
    let session = unit.session.clone();
    fixture.commit(unit).await?;
    ensure_eq!(
        due(&fixture, start.plus_seconds(499)).await?,
        [],
        "the operations due before the changed one"
    );
    let mut unit = fixture.build.next_unit(&session);
    unit.changed_operations = vec![changed(None)];
    fixture.commit(unit).await?;
    ensure_eq!(
        due(&fixture, start.plus_seconds(499)).await?,
        [],
        "the operations due after a change without a new due time"
    );
    ensure_eq!(
        due(&fixture, start.plus_seconds(500)).await?,
        [one.id],
        "the operations due at the new time"
    );
    Ok(())
}

/// Claims use the store's own clock, whatever its time.
pub async fn claims_use_the_store_clock(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    // The builder's intents are due ten seconds after their creation.
    let (session, one) = fixture.session_with_attempt().await?;
    let created = fixture.build.now();
    for (seconds, found) in [(9, &[][..]), (10, &[one.id][..]), (-9, &[])] {
        let now = created.plus_seconds(seconds);
        let queue = store.queue.at(now).await?;
        ensure_eq!(queue.now().await?, now, "the store's time");
        let claimed = queue
            .claim_operations(&ClaimFilter::up_to(10), EXPIRED)
            .await?;
        let claimed: Vec<OperationId> = claimed.iter().map(|item| item.operation).collect();
        ensure_eq!(claimed, found, "the claimed operations at {seconds} s");
    }
    let queue = store.queue.at(session.expires_at.plus_seconds(7)).await?;
    let claimed = queue
        .claim_sessions(&ClaimFilter::up_to(10), EXPIRED)
        .await?;
    let due: Vec<Timestamp> = claimed.iter().map(|item| item.due_at).collect();
    ensure_eq!(due, [session.expires_at], "the deadlines that have passed");
    Ok(())
}

/// The oldest are claimed first, up to the limit, and each claim is counted.
pub async fn claims_are_counted_and_limited(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let mut attempts = Vec::new();
    for _ in 0..5 {
        attempts.push(fixture.session_with_attempt().await?.1.id);
        fixture.build.advance(1);
    }
    let (queue, now) = (&fixture.store.queue, fixture.build.now().plus_seconds(60));
    for tries in 1..=2 {
        let claimed = queue
            .claim_operations(now, &ClaimFilter::up_to(2), EXPIRED)
            .await?;
        let ids: Vec<OperationId> = claimed.iter().map(|claimed| claimed.operation).collect();
        ensure_eq!(ids, attempts[..2], "the claimed operations, limited to two");
        ensure!(
            claimed.iter().all(|claimed| claimed.tries == tries),
            "wrong number of tries: {claimed:?}"
        );
        let items = claimed.iter().all(|claimed| {
            let item = oncharge_ports::unit_of_work::LeasedItem::Operation(claimed.operation);
            claimed.lease.item == item
        });
        ensure!(items, "a lease does not name its item");
    }
    let claimed = queue
        .claim_operations(now, &ClaimFilter::up_to(2), LONG)
        .await?;
    ensure_eq!(claimed.len(), 2, "the number of claims");
    ensure_eq!(
        due(&fixture, now).await?,
        attempts[2..],
        "the remaining operations"
    );
    Ok(())
}

/// Final operations are not in the queue, and a release does not return them to it.
pub async fn final_operations_are_never_claimed(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let now = fixture.build.now().plus_seconds(60);
    let (session, attempt) = fixture.session_with_attempt().await?;
    let claimed = claim(&fixture, now).await?;
    ensure_eq!(
        claimed.len(),
        1,
        "the number of claims while the operation is open"
    );
    fixture.change(&session, failed(&attempt)).await?;
    fixture.store.queue.release(claimed[0].1, now).await?;
    ensure_eq!(
        due(&fixture, now.plus_seconds(1_000_000)).await?,
        [],
        "the due operations once it is final"
    );
    fixture.store.queue.make_all_due(now).await?;
    ensure_eq!(
        due(&fixture, now.plus_seconds(1_000_000)).await?,
        [],
        "the due operations after a release of a final one"
    );
    Ok(())
}

/// A session is claimed from its `due_at` on, not a microsecond earlier, in every status.
pub async fn sessions_are_claimed_at_their_deadline(store: &TestedStore) -> anyhow::Result<()> {
    let (fixture, mut draw) = (Fixture::new(store).await?, Draw::new());
    let far = Timestamp::from_unix_micros(253_402_300_799_999_999).unwrap();
    for _ in 0..60 {
        let unpaid = generate::session(&mut draw, &fixture.build, &fixture.merchant);
        fixture.commit(fixture.build.unit(unpaid.clone())).await?;
        ensure_eq!(
            claims(&fixture, unpaid.expires_at, unpaid.id).await?,
            true,
            "whether a new session is claimed at its expiry"
        );
        // Another session, because the lease above has not expired at an earlier time.
        let new = generate::session(&mut draw, &fixture.build, &fixture.merchant);
        fixture.commit(fixture.build.unit(new.clone())).await?;
        let later = generate::later(&mut draw, &new);
        fixture.commit(fixture.build.unit(later.clone())).await?;
        match later.due_at() {
            None => ensure_eq!(
                claims(&fixture, far, new.id).await?,
                false,
                "whether a session in {:?} is claimed long before its deadline",
                later.status
            ),
            Some(at) => {
                let before = at.plus(time::Duration::microseconds(-1));
                ensure_eq!(
                    claims(&fixture, before, new.id).await?,
                    false,
                    "whether a session in {:?} is claimed just before its deadline",
                    later.status
                );
                ensure_eq!(
                    claims(&fixture, at, new.id).await?,
                    true,
                    "whether a session in {:?} is claimed at its deadline",
                    later.status
                );
            }
        }
    }
    Ok(())
}

async fn claims(fixture: &Fixture, now: Timestamp, id: SessionId) -> anyhow::Result<bool> {
    let claimed = fixture
        .store
        .queue
        .claim_sessions(now, &ClaimFilter::up_to(1000), EXPIRED)
        .await?;
    Ok(claimed.iter().any(|claimed| claimed.session == id))
}

/// Each item names its PSP account, and items of busy accounts are left out, however many they are
/// and however long they have been due: operations, sessions and notifications alike.
pub async fn busy_accounts_are_excluded(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let queue = &store.queue;
    let mut accounts = vec![fixture.merchant.account.clone()];
    accounts.push(PspAccount::new("simulator", "default-2")?);
    accounts.push(PspAccount::new("simulator-2", "default")?);
    let mut rows: Vec<(AccountName, OperationId, SessionId, NotificationId)> = Vec::new();
    for index in [0, 0, 0, 1, 0, 2, 0, 1] {
        let account = &accounts[index];
        let mut session = fixture.build.session(&fixture.merchant);
        session.account = account.clone();
        fixture.commit(fixture.build.unit(session.clone())).await?;
        let attempt = fixture.build.attempt(&session, "tok_1");
        fixture.start(&session, attempt.clone()).await?;
        let key = rows.len().to_string();
        let notification = fixture.build.notification_of(account, Some(&key));
        store.inbox.receive(&notification).await?;
        let name = AccountName::of(account);
        rows.push((name, attempt.id, session.id, notification.id));
        fixture.build.advance(1);
    }
    let now = fixture.build.now().plus_seconds(100_000);
    let names: Vec<AccountName> = accounts.iter().map(AccountName::of).collect();
    for (limit, busy) in [
        (100, &names[..0]),
        (100, &names[..1]),
        (2, &names[..1]),
        (100, &names[1..]),
        (100, &names[..]),
    ] {
        let asked = ClaimFilter {
            limit,
            busy: busy.to_vec(),
        };
        let mut left = rows.clone();
        left.retain(|(account, ..)| !busy.contains(account));
        left.truncate(limit as usize);
        let without = format!("{limit}, without {busy:?}");
        let claimed = queue.claim_operations(now, &asked, EXPIRED).await?;
        let claimed = claimed
            .into_iter()
            .map(|item| (item.account, item.operation));
        let wanted = left.iter().map(|row| (row.0.clone(), row.1));
        ensure_eq!(
            claimed.collect::<Vec<_>>(),
            wanted.collect::<Vec<_>>(),
            "the operations with limit {without}"
        );
        let claimed = queue.claim_sessions(now, &asked, EXPIRED).await?;
        let claimed = claimed.into_iter().map(|item| (item.account, item.session));
        let wanted = left.iter().map(|row| (row.0.clone(), row.2));
        ensure_eq!(
            claimed.collect::<Vec<_>>(),
            wanted.collect::<Vec<_>>(),
            "the sessions with limit {without}"
        );
        let claimed = queue.claim_notifications(now, &asked, EXPIRED).await?;
        let claimed = claimed
            .into_iter()
            .map(|item| (item.account, item.notification));
        let wanted = left.iter().map(|row| (row.0.clone(), row.3));
        ensure_eq!(
            claimed.collect::<Vec<_>>(),
            wanted.collect::<Vec<_>>(),
            "the notifications with limit {without}"
        );
    }
    Ok(())
}

/// All open operations become due at once, except leased ones.
pub async fn leased_operations_are_not_made_due(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let (_, held) = fixture.session_with_attempt().await?;
    let now = fixture.build.now().plus_seconds(10);
    ensure_eq!(
        due(&fixture, now).await?,
        [held.id],
        "the operation to lease"
    );
    fixture.build.advance(3600);
    let (_, waiting) = fixture.session_with_attempt().await?;
    let (session, ended) = fixture.session_with_attempt().await?;
    fixture.change(&session, failed(&ended)).await?;
    ensure_eq!(
        due(&fixture, now).await?,
        [],
        "the due operations before the call"
    );
    fixture.store.queue.make_all_due(now).await?;
    ensure_eq!(
        due(&fixture, now).await?,
        [waiting.id],
        "the due operations after the call"
    );
    Ok(())
}

/// The depth is the number of open operations, with the creation time of the oldest.
pub async fn depth_counts_open_operations(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let depth = async || -> anyhow::Result<(u64, Option<Timestamp>)> {
        let depths = store.queue.depths(fixture.build.now()).await?;
        let mine = depths
            .iter()
            .find(|depth| depth.queue == QueueName::Operations);
        let mine = mine.context("the depth of the operations")?;
        Ok((mine.depth, mine.oldest))
    };
    ensure_eq!(depth().await?, (0, None), "the depth of an empty queue");
    let start = fixture.build.now();
    let (session, first) = fixture.session_with_attempt().await?;
    fixture.build.advance(5);
    fixture.session_with_attempt().await?;
    ensure_eq!(
        depth().await?,
        (2, Some(start)),
        "the depth of two operations"
    );
    let done = Operation {
        status: OperationStatus::Succeeded,
        ..first
    };
    fixture.change(&session, done).await?;
    ensure_eq!(
        depth().await?,
        (1, Some(start.plus_seconds(5))),
        "the depth of one operation"
    );
    Ok(())
}

/// Each queue's number of items, and since when the oldest waits.
pub async fn depths_count_waiting_items(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let start = fixture.build.now();
    let expect = async |queue: QueueName, now, wanted: (u64, Option<i64>)| -> anyhow::Result<()> {
        let depths = store.queue.depths(now).await?;
        let found: Vec<_> = depths.iter().filter(|depth| depth.queue == queue).collect();
        ensure_eq!(found.len(), 1, "the number of entries of {queue:?}");
        let oldest = wanted.1.map(|seconds| start.plus_seconds(seconds));
        ensure_eq!(
            (found[0].depth, found[0].oldest),
            (wanted.0, oldest),
            "{queue:?}"
        );
        Ok(())
    };
    for queue in QueueName::ALL {
        expect(*queue, start, (0, None)).await?;
    }
    fixture.endpoint().await?;
    let first = fixture.new_event(&fixture.merchant).await?;
    let noted = fixture.receive_notification("a").await?;
    let unverified = fixture
        .build
        .notification_of(&fixture.merchant.account, None);
    store.inbox.receive(&unverified).await?;
    fixture.build.advance(5);
    let second = fixture.new_event(&fixture.merchant).await?;
    fixture.receive_notification("b").await?;
    let now = fixture.build.now();
    expect(QueueName::Deliveries, now, (2, Some(0))).await?;
    expect(QueueName::Inbox, now, (2, Some(0))).await?;
    expect(QueueName::Deadlines, now, (0, None)).await?;
    for (seconds, wanted) in [
        (1799, (0, None)),
        (1800, (1, Some(1800))),
        (1805, (2, Some(1800))),
    ] {
        expect(QueueName::Deadlines, start.plus_seconds(seconds), wanted).await?;
    }
    let mut unit = fixture.build.next_unit(&fixture.session().await?);
    unit.handled = Some(noted.id);
    fixture.commit(unit).await?;
    expect(QueueName::Inbox, now, (1, Some(5))).await?;
    let claimed = fixture.claim_deliveries(now, LONG).await?;
    expect(QueueName::Deliveries, now, (2, Some(0))).await?;
    let lease = |event| lease_of(&claimed, event);
    fixture.record(first, lease(first)?, Ok(200)).await?;
    expect(QueueName::Deliveries, now, (1, Some(5))).await?;
    fixture.record(second, lease(second)?, Ok(500)).await?;
    expect(QueueName::Deliveries, now, (1, Some(5))).await?;
    fixture.remove(&fixture.merchant).await?;
    expect(QueueName::Deliveries, now, (0, None)).await
}
