//! How notifications end: settled, handled in a unit, or taken off the list by a person.

use std::time::Duration;

use anyhow::ensure;
use oncharge_domain::{
    audit::AuditAction,
    id::NotificationId,
    operation::{Operation, Sending},
    psp::PspAccount,
    session::{EventKind, Session},
};
use oncharge_ports::{
    CommitError, UnitOfWork,
    inbox::{NotificationStatus, Settled, StuckNotifications},
    unit_of_work::{ChangedOperation, Lease, LeasedItem},
};

use crate::{
    Store,
    laws::inbox::waiting,
    world::{
        World,
        webhooks::{LONG, OVER},
    },
};

/// Every end is written under a lease that holds, once, and is for good.
pub async fn a_lost_lease_cannot_settle(store: &Store) -> anyhow::Result<()> {
    let world = World::new(store).await?;
    let now = world.build.now();
    let claim = async |id, length: Duration| world.lease_on_notification(id, (now, length)).await;
    for (number, status) in NotificationStatus::ALL.iter().enumerate() {
        let is_end = !matches!(
            status,
            NotificationStatus::Waiting | NotificationStatus::Unverified
        );
        if !is_end {
            continue;
        }
        let new = world.notified(&number.to_string()).await?;
        let over = claim(new.id, OVER).await?;
        refused(&world, over, *status).await?;
        let given_back = claim(new.id, LONG).await?;
        store.queue.release(given_back, now).await?;
        refused(&world, given_back, *status).await?;
        let held = claim(new.id, LONG).await?;
        for lost in [over, given_back, made_up(&world, new.id)] {
            refused(&world, lost, *status).await?;
        }
        let settled = Settled {
            operation: Some(world.build.id()),
            session: Some(world.build.id()),
            audit: Some(world.build.audit(AuditAction::NotificationMismatched)),
            ..world.build.settled(held, *status)
        };
        store.inbox.settle(&settled).await?;
        same!(world.notification(new.id).await?.status, *status, "its end");
        let again = Settled {
            audit: None,
            ..settled
        };
        fails!(
            store.inbox.settle(&again).await,
            CommitError::LeaseLost,
            "a second end"
        );
        store.queue.release(held, now).await?;
        same!(
            waiting(&world, now.plus_seconds(1000)).await?,
            [],
            "over for good"
        );
    }
    Ok(())
}

fn made_up(world: &World, id: NotificationId) -> Lease {
    Lease {
        item: LeasedItem::Notification(id),
        token: world.build.id(),
    }
}

async fn refused(world: &World, lease: Lease, status: NotificationStatus) -> anyhow::Result<()> {
    let LeasedItem::Notification(id) = lease.item else {
        anyhow::bail!("no lease on a notification");
    };
    let settled = world
        .store
        .inbox
        .settle(&world.build.settled(lease, status))
        .await;
    fails!(
        settled,
        CommitError::LeaseLost,
        "{status:?} under {lease:?}"
    );
    let found = world.notification(id).await?.status;
    same!(
        found,
        NotificationStatus::Waiting,
        "settled under a lost lease"
    );
    Ok(())
}

/// What a worker does about a notification: an operation is done, the session and the merchant
/// are told.
fn handling(
    world: &World,
    (session, attempt): &(Session, Operation),
    notification: NotificationId,
) -> UnitOfWork {
    let mut unit = world.build.telling(session, EventKind::PaymentAuthorized);
    unit.changed_operations = vec![ChangedOperation {
        operation: Operation {
            sending: Sending::Accepted,
            ..attempt.clone()
        },
        next_try_at: None,
    }];
    unit.handled = Some(notification);
    unit
}

/// One unit alone is committed for a notification, with or without a lease on it; another one
/// fails as a whole. What was settled, is unverified or was never there cannot be handled either.
pub async fn a_notification_is_handled_once(store: &Store) -> anyhow::Result<()> {
    let world = World::new(store).await?;
    world.endpoint().await?;
    let (session, attempt) = world.paying().await?;
    let new = world.notified("k").await?;
    let unit = handling(&world, &(session, attempt.clone()), new.id);
    world.commit(unit.clone()).await?;
    same!(
        world.notification(new.id).await?.status,
        NotificationStatus::Handled,
        "its status"
    );
    same!(
        waiting(&world, world.build.now().plus_seconds(1000)).await?,
        [],
        "nothing waits"
    );

    let settled = world
        .ended("settled", NotificationStatus::Mismatched)
        .await?;
    let unverified = world.build.notification_of(&world.merchant.account, None);
    ensure!(store.inbox.receive(&unverified).await?, "an unverified one");
    for id in [new.id, settled.id, unverified.id, world.build.id()] {
        let late = handling(&world, &(unit.session.clone(), attempt.clone()), id);
        fails!(
            world.commit(late.clone()).await,
            CommitError::AlreadyHandled,
            "{id}"
        );
        same!(
            world.load(unit.session.id).await?,
            unit.session,
            "the session"
        );
        same!(world.outgoing(late.events[0].id).await?, None, "the event");
        ensure!(
            !store.checkout.committed(&late).await?,
            "it counts as committed"
        );
    }
    let status = world.notification(settled.id).await?.status;
    same!(status, NotificationStatus::Mismatched, "what was settled");
    Ok(())
}

/// A unit that fails handles nothing; one under a lease on its notification needs that lease, and
/// gives it up.
pub async fn handling_is_part_of_the_unit(store: &Store) -> anyhow::Result<()> {
    let world = World::new(store).await?;
    let (session, attempt) = world.paying().await?;
    let new = world.notified("k").await?;
    let now = world.build.now();
    let pair = (session.clone(), attempt.clone());
    let mut stale = handling(&world, &pair, new.id);
    stale.session.version += 5;
    fails!(
        world.commit(stale).await,
        CommitError::Conflict,
        "a stale unit"
    );
    same!(
        world.notification(new.id).await?.status,
        NotificationStatus::Waiting,
        "its status"
    );

    let over = world.lease_on_notification(new.id, (now, OVER)).await?;
    let held = world.lease_on_notification(new.id, (now, LONG)).await?;
    for lost in [over, made_up(&world, new.id)] {
        let mut unit = handling(&world, &pair, new.id);
        unit.lease = Some(lost);
        fails!(world.commit(unit).await, CommitError::LeaseLost, "{lost:?}");
        same!(world.load(session.id).await?, session, "the session");
        let status = world.notification(new.id).await?.status;
        same!(status, NotificationStatus::Waiting, "its status");
    }
    let mut unit = handling(&world, &pair, new.id);
    unit.lease = Some(held);
    world.commit(unit.clone()).await?;
    same!(world.load(session.id).await?, unit.session, "the session");
    same!(
        world.notification(new.id).await?.status,
        NotificationStatus::Handled,
        "its status"
    );
    same!(
        store.queue.renew(held, LONG).await?,
        false,
        "the lease of what is over"
    );
    let mut again = handling(&world, &(unit.session, attempt), new.id);
    again.lease = Some(held);
    fails!(
        world.commit(again).await,
        CommitError::LeaseLost,
        "under the lease that was given up"
    );
    Ok(())
}

/// Eight units for one notification at once, each of another session: one is committed.
pub async fn a_notification_is_handled_once_by_racers(store: &Store) -> anyhow::Result<()> {
    let world = World::new(store).await?;
    for round in 0..4 {
        let new = world.notified(&format!("k{round}")).await?;
        let mut units = Vec::new();
        for _ in 0..8 {
            let mut unit = world.build.next_unit(&world.session().await?);
            unit.handled = Some(new.id);
            units.push(unit);
        }
        let commits = units.iter().map(|unit| world.commit(unit.clone()));
        let results = futures_util::future::join_all(commits).await;
        let won = results.iter().filter(|result| result.is_ok()).count();
        same!(won, 1, "units of round {round}: {results:?}");
        for result in results.into_iter().filter(Result::is_err) {
            fails!(
                result,
                CommitError::AlreadyHandled,
                "a loser of round {round}"
            );
        }
    }
    Ok(())
}

/// What is stuck, and nothing else, can be taken off the list, once.
pub async fn only_what_is_stuck_is_dismissed(store: &Store) -> anyhow::Result<()> {
    let world = World::new(store).await?;
    let audit = || world.build.audit(AuditAction::NotificationDismissed);
    let mut cases: Vec<(NotificationId, NotificationStatus)> = Vec::new();
    for (number, status) in NotificationStatus::ALL.iter().enumerate() {
        let new = match status {
            NotificationStatus::Waiting => continue,
            NotificationStatus::Unverified => {
                let new = world.build.notification_of(&world.merchant.account, None);
                ensure!(store.inbox.receive(&new).await?, "an unverified one");
                new
            }
            _ => world.ended(&number.to_string(), *status).await?,
        };
        cases.push((new.id, *status));
    }
    cases.push((
        world.notified("waiting").await?.id,
        NotificationStatus::Waiting,
    ));
    for (id, status) in cases {
        let dismissed = store.inbox.dismiss(id, &audit()).await?;
        same!(dismissed, status.is_stuck(), "{status:?}");
        let now_is = if dismissed {
            NotificationStatus::Dismissed
        } else {
            status
        };
        same!(
            world.notification(id).await?.status,
            now_is,
            "{status:?} afterwards"
        );
        ensure!(!store.inbox.dismiss(id, &audit()).await?, "dismissed again");
    }
    let unknown = world.build.id();
    ensure!(
        !store.inbox.dismiss(unknown, &audit()).await?,
        "what is not there"
    );
    Ok(())
}

/// Only those of the wanted status, account and time, the oldest first, and no more than asked for.
pub async fn many_notifications_are_dismissed_at_once(store: &Store) -> anyhow::Result<()> {
    let world = World::new(store).await?;
    let audit = || world.build.audit(AuditAction::NotificationDismissed);
    let mut old = Vec::new();
    for number in 0..5 {
        let key = format!("old {number}");
        let new = world.ended(&key, NotificationStatus::Mismatched).await?;
        old.push(new.id);
        world.build.advance(1);
    }
    let unmatched = world.ended("unmatched", NotificationStatus::Unmatched);
    let unmatched = unmatched.await?.id;
    world.build.advance(10);
    let before = world.build.now();
    let young = world
        .ended("young", NotificationStatus::Mismatched)
        .await?
        .id;
    let mut wanted = StuckNotifications {
        status: NotificationStatus::Mismatched,
        account: PspAccount::new("simulator", "elsewhere").ok(),
        received_before: before,
    };
    let dismiss = async |which: &StuckNotifications, limit| {
        store.inbox.dismiss_all(which, limit, &audit()).await
    };
    same!(dismiss(&wanted, 10).await?, 0, "of another account");
    wanted.account = Some(world.merchant.account.clone());
    same!(dismiss(&wanted, 2).await?, 2, "a batch");
    for (number, id) in old.iter().enumerate() {
        let is = world.notification(*id).await?.status;
        let dismissed = is == NotificationStatus::Dismissed;
        same!(
            dismissed,
            number < 2,
            "the oldest first: {number} is {is:?}"
        );
    }
    wanted.account = None;
    same!(dismiss(&wanted, 10).await?, 3, "the rest, of any account");
    same!(dismiss(&wanted, 10).await?, 0, "again");
    wanted.status = NotificationStatus::Handled;
    same!(dismiss(&wanted, 10).await?, 0, "what is not stuck");
    for (id, status) in [
        (unmatched, NotificationStatus::Unmatched),
        (young, NotificationStatus::Mismatched),
    ] {
        same!(world.notification(id).await?.status, status, "what stays");
    }
    Ok(())
}
