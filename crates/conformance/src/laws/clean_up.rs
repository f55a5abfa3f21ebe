//! Deletion of expired rows, and rows that are kept at any age.

use anyhow::{Context, ensure};
use oncharge_domain::{
    id::NotificationId,
    operation::{Operation, OperationStatus},
    time::Timestamp,
};
use oncharge_ports::{
    inbox::{NewNotification, NotificationStatus},
    maintenance::{ExpiringRows as Rows, TimeRange},
    unit_of_work::{ChangedOperation, IdempotencyScope, IdempotencyWrite},
};

use crate::{
    TestedStore,
    fixture::{Fixture, response},
};

/// Deletes rows of one kind that are older than this time; returns their number.
pub(super) async fn delete(
    store: &TestedStore,
    rows: Rows,
    before: Timestamp,
) -> anyhow::Result<usize> {
    let range = TimeRange::before(before);
    let deleted = store.maintenance.delete_expired(rows, range, 100).await?;
    Ok(deleted.count)
}

async fn is_there(fixture: &Fixture, scope: &IdempotencyScope) -> anyhow::Result<bool> {
    Ok(fixture.store.checkout.key(scope).await?.is_some())
}

/// A record is kept while its operation is open or it has no response; once the operation is final
/// and the response is old, it is deleted.
pub async fn an_open_operations_key_is_kept(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let scope = |text| fixture.build.scope(&fixture.merchant, text);
    let (open, reserved, refused) = (scope("open"), scope("reserved"), scope("refused"));
    let unanswered = fixture.unit_reserving_key(&reserved);
    fixture.commit(unanswered.clone()).await?;
    let done = Operation {
        status: OperationStatus::Succeeded,
        ..unanswered.operations[0].operation.clone()
    };
    fixture.change(&unanswered.session, done).await?;
    let unit = fixture.unit_reserving_key(&open);
    let (mut session, operation) = (unit.session.clone(), unit.operations[0].operation.clone());
    fixture.commit(unit).await?;
    let mut unit_storing_response = fixture.build.next_unit(&session);
    unit_storing_response.key = Some(IdempotencyWrite::Complete {
        scope: open.clone(),
        response: response("202"),
        at: fixture.build.now(),
    });
    session = unit_storing_response.session.clone();
    fixture.commit(unit_storing_response).await?;
    fixture
        .commit(fixture.unit_storing_response(&refused, "409"))
        .await?;

    let bound = fixture.build.now().plus_seconds(1);
    let records = Rows::IdempotencyRecords;
    let exactly = delete(store, records, fixture.build.now()).await?;
    ensure_eq!(exactly, 0, "records deleted exactly at the bound");
    let deleted = delete(store, records, bound).await?;
    ensure_eq!(
        deleted,
        1,
        "the number of records deleted while the operation is open"
    );
    for (key, wanted) in [(&open, true), (&reserved, true), (&refused, false)] {
        ensure_eq!(
            is_there(&fixture, key).await?,
            wanted,
            "whether the record of {key:?} exists"
        );
    }
    let mut ending = fixture.build.next_unit(&session);
    ending.changed_operations = vec![ChangedOperation {
        operation: Operation {
            status: OperationStatus::Succeeded,
            ..operation
        },
        next_try_at: None,
    }];
    fixture.commit(ending).await?;
    ensure_eq!(
        delete(store, records, bound).await?,
        1,
        "the number of records deleted once the operation is final"
    );
    ensure_eq!(
        is_there(&fixture, &open).await?,
        false,
        "whether the record of a final operation exists"
    );
    ensure_eq!(
        is_there(&fixture, &reserved).await?,
        true,
        "whether a record without a response exists"
    );
    Ok(())
}

/// Younger records stay, and the key of a deleted record can be taken again.
pub async fn old_responses_are_deleted(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let scope = |text| fixture.build.scope(&fixture.merchant, text);
    let (old, young) = (scope("old"), scope("young"));
    fixture
        .commit(fixture.unit_storing_response(&old, "old"))
        .await?;
    fixture.build.advance(100);
    fixture
        .commit(fixture.unit_storing_response(&young, "young"))
        .await?;
    let bound = fixture.build.now();
    ensure_eq!(
        delete(store, Rows::IdempotencyRecords, bound).await?,
        1,
        "the number of deleted records"
    );
    ensure_eq!(
        is_there(&fixture, &old).await?,
        false,
        "whether the old record exists"
    );
    ensure_eq!(
        is_there(&fixture, &young).await?,
        true,
        "whether the young record exists"
    );
    fixture
        .commit(fixture.unit_storing_response(&old, "again"))
        .await?;
    Ok(())
}

/// Stores a notification received now with this status; an unverified one is not closed.
async fn kept(fixture: &Fixture, status: NotificationStatus) -> anyhow::Result<NewNotification> {
    let key = format!("{status:?} {}", fixture.build.now().unix_seconds()).replace(' ', "_");
    if status != NotificationStatus::Unverified {
        return fixture.closed_notification(&key, status).await;
    }
    let new = fixture
        .build
        .notification_of(&fixture.merchant.account, None);
    ensure!(
        fixture.store.inbox.receive(&new).await?,
        "an unverified notification was not stored"
    );
    Ok(new)
}

/// Old notifications with a final status are deleted, unverified ones by a limit of their own;
/// waiting and stuck ones are kept at any age.
pub async fn old_notifications_are_deleted(store: &TestedStore) -> anyhow::Result<()> {
    use NotificationStatus as Is;
    let fixture = Fixture::new(store).await?;
    let start = fixture.build.now();
    let mut rows: Vec<(NotificationId, Is, i64)> = Vec::new();
    for seconds in [0, 100, 200] {
        for status in Is::ALL {
            if *status != Is::Waiting {
                rows.push((kept(&fixture, *status).await?.id, *status, seconds));
            }
        }
        fixture.build.advance(100);
    }
    let waiting = fixture.build.notification("waiting");
    let waiting = NewNotification {
        received_at: start,
        ..waiting
    };
    ensure!(
        store.inbox.receive(&waiting).await?,
        "a waiting notification was not stored"
    );
    rows.push((waiting.id, Is::Waiting, 0));
    for (kind, seconds, wanted) in [
        (Rows::HandledNotifications, 100, 1),
        (Rows::IrrelevantNotifications, 100, 1),
        (Rows::DismissedNotifications, 100, 1),
        (Rows::UnverifiedNotifications, 200, 2),
    ] {
        let before = start.plus_seconds(seconds);
        ensure_eq!(
            delete(store, kind, before).await?,
            wanted,
            "the number of deleted {kind:?}"
        );
        ensure_eq!(
            delete(store, kind, before).await?,
            0,
            "the number of {kind:?} deleted by a second run"
        );
    }
    for (id, status, seconds) in rows {
        let goes = match status {
            Is::Handled | Is::Irrelevant | Is::Dismissed => seconds < 100,
            Is::Unverified => seconds < 200,
            _ => false,
        };
        let found = store.inbox.notification(id).await?;
        ensure_eq!(
            found.is_none(),
            goes,
            "whether a {status:?} notification of {seconds} s was deleted"
        );
    }
    Ok(())
}

/// At most the given number of rows of one kind is deleted, oldest first; the next batch starts at
/// the last time of the one before, and older rows are not scanned.
pub async fn expired_rows_are_deleted_in_batches(store: &TestedStore) -> anyhow::Result<()> {
    let fixture = Fixture::new(store).await?;
    let start = fixture.build.now();
    for number in 0..5 {
        let scope = fixture
            .build
            .scope(&fixture.merchant, &format!("k{number}"));
        fixture
            .commit(fixture.unit_storing_response(&scope, "{}"))
            .await?;
        kept(&fixture, NotificationStatus::Unverified).await?;
        fixture.build.advance(10);
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
    ensure_eq!(
        delete(start, end, 0).await?.count,
        0,
        "the number of rows deleted with a limit of zero"
    );
    let first = delete(start, end, 2).await?;
    ensure_eq!(first.count, 2, "the size of the first batch");
    ensure_eq!(
        first.last,
        Some(start.plus_seconds(10)),
        "the last time of the first batch"
    );
    let late = delete(start.plus_seconds(30), end, 2).await?;
    ensure_eq!(
        late.count,
        1,
        "the size of a batch whose range starts later"
    );
    let next = delete(first.last.context("a time")?, end, 2).await?;
    ensure_eq!(next.count, 1, "the size of the next batch");
    ensure_eq!(
        next.last,
        Some(start.plus_seconds(20)),
        "the last time of the next batch"
    );
    ensure_eq!(
        delete(start, end, 2).await?.count,
        0,
        "the size of a batch after the last row"
    );
    let unverified = Rows::UnverifiedNotifications;
    let left = self::delete(store, unverified, fixture.build.now()).await?;
    ensure_eq!(left, 5, "the number of remaining rows of another kind");
    Ok(())
}
