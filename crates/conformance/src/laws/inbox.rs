//! The inbox: every notification is stored once and claimed when it is due.

use std::collections::HashSet;

use anyhow::{Context, ensure};
use oncharge_domain::{id::NotificationId, psp::PspAccount, time::Timestamp};
use oncharge_ports::{
    inbox::{NewNotification, NotificationStatus, StoredNotification},
    unit_of_work::LeasedItem,
    work_queue::ClaimFilter,
};
use tokio::task::JoinSet;

use crate::{
    TestedStore,
    fixture::{
        Fixture,
        webhooks::{EXPIRED, LONG},
    },
    generate::{self, Draw},
};

/// Of notifications with one account and one event key only the first is stored, whatever else
/// differs; the same key of another account is another notification, and so is each one without a
/// key.
pub async fn a_notification_is_stored_once(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let account = |connector, name| PspAccount::new(connector, name);
    let accounts = [
        account("simulator", "default")?,
        account("simulator", "other")?,
        account("other", "default")?,
    ];
    let mut kept = Vec::new();
    for account in &accounts {
        for key in ["k", "K"] {
            let new = fixture.build.notification_of(account, Some(key));
            ensure!(store.inbox.receive(&new).await?, "{account:?} {key}");
            kept.push(new);
        }
        for _ in 0..3 {
            let new = fixture.build.notification_of(account, None);
            ensure!(store.inbox.receive(&new).await?, "{account:?}, unverified");
            kept.push(new);
        }
    }
    fixture.build.advance(1);
    for first in kept.iter().filter(|new| new.event_key.is_some()) {
        let again = NewNotification {
            id: fixture.build.id(),
            body: b"other bytes".to_vec(),
            received_at: fixture.build.now(),
            ..first.clone()
        };
        ensure!(
            !store.inbox.receive(&again).await?,
            "a duplicate was stored"
        );
        ensure_eq!(
            store.inbox.notification(again.id).await?,
            None,
            "the duplicate"
        );
    }
    for new in &kept {
        let verified = new.event_key.is_some();
        let status = [NotificationStatus::Unverified, NotificationStatus::Waiting];
        let wanted = StoredNotification {
            new: new.clone(),
            status: status[usize::from(verified)],
        };
        ensure_eq!(
            fixture.notification(new.id).await?,
            wanted,
            "the stored notification"
        );
    }
    let ended = fixture
        .closed_notification("ended", NotificationStatus::Irrelevant)
        .await;
    ensure!(ended.is_err(), "more than one notification waits");
    Ok(())
}

/// A duplicate of a closed notification is still a duplicate, and changes nothing.
pub async fn a_duplicate_makes_nothing_due(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let over = fixture
        .closed_notification("k", NotificationStatus::Handled)
        .await?;
    let again = fixture.build.notification("k");
    ensure!(
        !store.inbox.receive(&again).await?,
        "a duplicate was stored"
    );
    let status = fixture.notification(over.id).await?.status;
    ensure_eq!(
        status,
        NotificationStatus::Handled,
        "the status of the closed notification"
    );
    ensure_eq!(
        waiting(&fixture, fixture.build.now().plus_seconds(1000)).await?,
        [],
        "the waiting notifications"
    );
    Ok(())
}

/// Of sixteen concurrent equal notifications one is stored, and no call fails.
pub async fn a_notification_is_stored_once_concurrently(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    for round in 0..4 {
        let mut tasks = JoinSet::new();
        for _ in 0..16 {
            let new = fixture.build.notification(&format!("k{round}"));
            let inbox = store.inbox.clone();
            tasks.spawn(async move { inbox.receive(&new).await });
        }
        let mut kept = 0;
        for result in tasks.join_all().await {
            kept += u32::from(result?);
        }
        ensure_eq!(
            kept,
            1,
            "the number of notifications stored in round {round}"
        );
    }
    ensure_eq!(
        waiting(&fixture, fixture.build.now()).await?.len(),
        4,
        "the number of waiting notifications"
    );
    Ok(())
}

/// Notifications load equal, to the byte and the microsecond, whatever the bytes are.
pub async fn notifications_load_equal(store: &TestedStore) -> anyhow::Result<()> {
    let (fixture, mut draw) = (Fixture::new(store).await?, Draw::new());
    let keys = [
        "~".repeat(255),
        "'; DROP --".replace(' ', "_"),
        "x".to_owned(),
    ];
    let long = PspAccount::new(&"a".repeat(64), &"b_-0".repeat(16))?;
    for number in 0..30 {
        let key = format!("{number}{}", keys[number % 3]);
        let key: String = key.chars().take(255).collect();
        let new = NewNotification {
            id: fixture.build.id(),
            account: long.clone(),
            event_key: (number % 5 != 0).then_some(key),
            body: draw.one(generate::bytes()),
            received_at: draw.one(generate::instant()),
        };
        ensure!(
            store.inbox.receive(&new).await?,
            "the notification was not stored"
        );
        ensure_eq!(
            fixture.notification(new.id).await?.new,
            new,
            "the stored notification"
        );
    }
    ensure_eq!(
        store.inbox.notification(fixture.build.id()).await?,
        None,
        "an unknown notification"
    );
    Ok(())
}

/// The oldest are claimed first, from their due time on, up to the limit, and each claim is
/// counted; a postponed notification is claimed at its new time, a closed or unverified one never.
pub async fn only_due_notifications_are_claimed(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let start = fixture.build.now();
    let unverified = fixture
        .build
        .notification_of(&fixture.merchant.account, None);
    ensure!(
        store.inbox.receive(&unverified).await?,
        "an unverified notification was not stored"
    );
    let over = fixture
        .closed_notification("over", NotificationStatus::Irrelevant)
        .await?;
    let mut kept = Vec::new();
    for key in ["a", "b", "c"] {
        fixture.build.advance(10);
        kept.push(fixture.receive_notification(key).await?.id);
    }
    ensure_eq!(
        waiting(&fixture, start.plus_seconds(9)).await?,
        [],
        "the notifications claimed before their due time"
    );
    let (queue, now) = (&store.queue, start.plus_seconds(30));
    for tries in 1..=2 {
        let claimed = queue
            .claim_notifications(now, &ClaimFilter::up_to(2), EXPIRED)
            .await?;
        let ids: Vec<NotificationId> = claimed.iter().map(|claim| claim.notification).collect();
        ensure_eq!(ids, kept[..2], "the claimed notifications, limited to two");
        let counted = claimed.iter().all(|claim| claim.tries == tries);
        ensure!(counted, "wrong number of tries: {claimed:?}");
        let named = claimed
            .iter()
            .all(|claim| claim.lease.item == LeasedItem::Notification(claim.notification));
        ensure!(named, "a lease does not name its item");
    }
    let held = queue
        .claim_notifications(now, &ClaimFilter::up_to(1), LONG)
        .await?;
    ensure_eq!(
        waiting(&fixture, now).await?,
        kept[1..],
        "the notifications claimed while the first one is leased"
    );
    let lease = held.first().context("a claim")?.lease;
    queue.release(lease, start.plus_seconds(100)).await?;
    ensure_eq!(
        waiting(&fixture, start.plus_seconds(99)).await?,
        kept[1..],
        "the notifications claimed before the postponed one is due"
    );
    let order = [kept[1], kept[2], kept[0]];
    let all = waiting(&fixture, start.plus_seconds(100)).await?;
    ensure_eq!(all, order, "claimed once the postponed one is due");
    queue.release(lease, start).await?;
    let all = waiting(&fixture, start.plus_seconds(100)).await?;
    ensure_eq!(all, order, "claimed after a release under a lost lease");
    ensure_eq!(
        fixture.notification(over.id).await?.status,
        NotificationStatus::Irrelevant,
        "the status of the closed notification"
    );
    Ok(())
}

/// The notifications that can be claimed, in order; leaves no lease.
pub(super) async fn waiting(
    fixture: &Fixture,
    now: Timestamp,
) -> anyhow::Result<Vec<NotificationId>> {
    let queue = &fixture.store.queue;
    let claimed = queue
        .claim_notifications(now, &ClaimFilter::up_to(1000), EXPIRED)
        .await?;
    Ok(claimed.iter().map(|claim| claim.notification).collect())
}

/// Of eight concurrent workers, each notification is claimed by one.
pub async fn no_notification_is_leased_twice(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    for number in 0..40 {
        fixture.receive_notification(&number.to_string()).await?;
    }
    let now = fixture.build.now();
    let mut tasks = JoinSet::new();
    for _ in 0..8 {
        let queue = store.queue.clone();
        tasks.spawn(async move {
            let mut mine = Vec::new();
            loop {
                let claimed = queue
                    .claim_notifications(now, &ClaimFilter::up_to(7), LONG)
                    .await?;
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
    claimed.extend(
        store
            .queue
            .claim_notifications(now, &ClaimFilter::up_to(100), LONG)
            .await?,
    );
    let ids: HashSet<NotificationId> = claimed.iter().map(|claim| claim.notification).collect();
    ensure_eq!(
        (claimed.len(), ids.len()),
        (40, 40),
        "the number of claims and of claimed notifications"
    );
    Ok(())
}
