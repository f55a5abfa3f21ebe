//! What is deleted when it is old, and what is kept however old it is.

use anyhow::{Context, ensure};
use oncharge_domain::{
    id::NotificationId,
    operation::{Operation, OperationStatus},
    time::Timestamp,
};
use oncharge_ports::{
    inbox::{NewNotification, NotificationStatus},
    maintenance::{ExpiringRows as Rows, TimeRange},
    unit_of_work::{ChangedOperation, KeyScope, KeyWrite},
};

use crate::{
    Store,
    world::{World, answer},
};

/// Deletes rows of one kind from before this time; returns how many.
pub(super) async fn delete(store: &Store, rows: Rows, before: Timestamp) -> anyhow::Result<usize> {
    let range = TimeRange::before(before);
    let deleted = store.maintenance.delete_expired(rows, range, 100).await?;
    Ok(deleted.count)
}

async fn is_there(world: &World, scope: &KeyScope) -> anyhow::Result<bool> {
    Ok(world.store.checkout.key(scope).await?.is_some())
}

/// A record is kept while its operation is open, answered or not, and while it is not answered;
/// once the operation is final and the answer is old, it goes.
pub async fn an_open_operations_key_is_kept(store: &Store) -> anyhow::Result<()> {
    let world = World::new(store).await?;
    let scope = |text| world.build.scope(&world.merchant, text);
    let (open, reserved, refused) = (scope("open"), scope("reserved"), scope("refused"));
    let unanswered = world.reserving(&reserved);
    world.commit(unanswered.clone()).await?;
    let done = Operation {
        status: OperationStatus::Succeeded,
        ..unanswered.operations[0].operation.clone()
    };
    world.change(&unanswered.session, done).await?;
    let unit = world.reserving(&open);
    let (mut session, operation) = (unit.session.clone(), unit.operations[0].operation.clone());
    world.commit(unit).await?;
    let mut answering = world.build.next_unit(&session);
    answering.key = Some(KeyWrite::Remember {
        scope: open.clone(),
        answer: answer("202"),
        at: world.build.now(),
    });
    session = answering.session.clone();
    world.commit(answering).await?;
    world.commit(world.answering(&refused, "409")).await?;

    let bound = world.build.now().plus_seconds(1);
    let records = Rows::IdempotencyRecords;
    let exactly = delete(store, records, world.build.now()).await?;
    same!(exactly, 0, "deleted of what is just old enough to be kept");
    let deleted = delete(store, records, bound).await?;
    same!(deleted, 1, "deleted while the operation is open");
    for (key, wanted) in [(&open, true), (&reserved, true), (&refused, false)] {
        same!(is_there(&world, key).await?, wanted, "{key:?}");
    }
    let mut ending = world.build.next_unit(&session);
    ending.changed_operations = vec![ChangedOperation {
        operation: Operation {
            status: OperationStatus::Succeeded,
            ..operation
        },
        next_try_at: None,
    }];
    world.commit(ending).await?;
    same!(
        delete(store, records, bound).await?,
        1,
        "deleted in the end"
    );
    same!(
        is_there(&world, &open).await?,
        false,
        "the record of what is final"
    );
    same!(
        is_there(&world, &reserved).await?,
        true,
        "what is not answered"
    );
    Ok(())
}

/// Younger records stay, and a record that is gone can be taken again.
pub async fn old_answers_are_forgotten(store: &Store) -> anyhow::Result<()> {
    let world = World::new(store).await?;
    let scope = |text| world.build.scope(&world.merchant, text);
    let (old, young) = (scope("old"), scope("young"));
    world.commit(world.answering(&old, "old")).await?;
    world.build.advance(100);
    world.commit(world.answering(&young, "young")).await?;
    let bound = world.build.now();
    same!(
        delete(store, Rows::IdempotencyRecords, bound).await?,
        1,
        "deleted"
    );
    same!(is_there(&world, &old).await?, false, "the old one");
    same!(is_there(&world, &young).await?, true, "the young one");
    world.commit(world.answering(&old, "again")).await?;
    Ok(())
}

/// A notification that came now and has come to this end; unverified ones have none.
async fn kept(world: &World, status: NotificationStatus) -> anyhow::Result<NewNotification> {
    let key = format!("{status:?} {}", world.build.now().unix_seconds()).replace(' ', "_");
    if status != NotificationStatus::Unverified {
        return world.ended(&key, status).await;
    }
    let new = world.build.notification_of(&world.merchant.account, None);
    ensure!(world.store.inbox.receive(&new).await?, "an unverified one");
    Ok(new)
}

/// Those that are over and old go, unverified ones by a time of their own; what waits or is stuck
/// stays, however old.
pub async fn old_notifications_are_deleted(store: &Store) -> anyhow::Result<()> {
    use NotificationStatus as Is;
    let world = World::new(store).await?;
    let start = world.build.now();
    let mut rows: Vec<(NotificationId, Is, i64)> = Vec::new();
    for seconds in [0, 100, 200] {
        for status in Is::ALL {
            if *status != Is::Waiting {
                rows.push((kept(&world, *status).await?.id, *status, seconds));
            }
        }
        world.build.advance(100);
    }
    let waiting = world.build.notification("waiting");
    let waiting = NewNotification {
        received_at: start,
        ..waiting
    };
    ensure!(store.inbox.receive(&waiting).await?, "a waiting one");
    rows.push((waiting.id, Is::Waiting, 0));
    for (kind, seconds, wanted) in [
        (Rows::HandledNotifications, 100, 1),
        (Rows::IrrelevantNotifications, 100, 1),
        (Rows::DismissedNotifications, 100, 1),
        (Rows::UnverifiedNotifications, 200, 2),
    ] {
        let before = start.plus_seconds(seconds);
        same!(delete(store, kind, before).await?, wanted, "{kind:?}");
        same!(delete(store, kind, before).await?, 0, "{kind:?} again");
    }
    for (id, status, seconds) in rows {
        let goes = match status {
            Is::Handled | Is::Irrelevant | Is::Dismissed => seconds < 100,
            Is::Unverified => seconds < 200,
            _ => false,
        };
        let found = store.inbox.notification(id).await?;
        same!(
            found.is_none(),
            goes,
            "{status:?} of {seconds} s is deleted"
        );
    }
    Ok(())
}

/// Never more rows than asked for, of one kind alone, oldest first; the next part starts at the last
/// time of the one before, and what is older is not looked at.
pub async fn expired_rows_are_deleted_in_parts(store: &Store) -> anyhow::Result<()> {
    let world = World::new(store).await?;
    let start = world.build.now();
    for number in 0..5 {
        let scope = world.build.scope(&world.merchant, &format!("k{number}"));
        world.commit(world.answering(&scope, "{}")).await?;
        kept(&world, NotificationStatus::Unverified).await?;
        world.build.advance(10);
    }
    let delete = async |from, before, limit| {
        let range = TimeRange { from, before };
        let records = Rows::IdempotencyRecords;
        store
            .maintenance
            .delete_expired(records, range, limit)
            .await
    };
    let end = start.plus_seconds(40);
    same!(delete(start, end, 0).await?.count, 0, "deleted of none");
    let first = delete(start, end, 2).await?;
    same!(first.count, 2, "the first part");
    same!(first.last, Some(start.plus_seconds(10)), "its last time");
    let late = delete(start.plus_seconds(30), end, 2).await?;
    same!(late.count, 1, "in a range that starts later");
    let next = delete(first.last.context("a time")?, end, 2).await?;
    same!(next.count, 1, "the next part");
    same!(next.last, Some(start.plus_seconds(20)), "its last time");
    same!(delete(start, end, 2).await?.count, 0, "once all are gone");
    let unverified = Rows::UnverifiedNotifications;
    let left = self::delete(store, unverified, world.build.now()).await?;
    same!(left, 5, "rows of another kind that were left");
    Ok(())
}
