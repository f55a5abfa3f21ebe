//! The database file: permissions, contents, and other processes that use it.

use std::fs;

use diesel::connection::SimpleConnection;
use oncharge_adapter_sqlite::SqliteStore;
use oncharge_ports::{
    BlocklistRepository, CheckoutRepository, CommitError, Inbox, Maintenance, MerchantRepository,
    WebhookRepository, WorkQueue,
    queries::{EventFilter, Page},
    work_queue::QueueName,
};

use crate::fixture::{Fixture, open, response};

/// Checks that everything written is in this store.
async fn assert_contains_everything(store: &SqliteStore, fixture: &Fixture) {
    let session = store.session(fixture.session.id).await.unwrap();
    assert_eq!(session.as_ref(), Some(&fixture.session));
    for operation in [&fixture.attempt, &fixture.refund.1] {
        let found = store.operation(operation.id).await.unwrap();
        assert_eq!(found.as_ref(), Some(operation));
    }
    let refund = store.refund(fixture.refund.0.id).await.unwrap();
    assert_eq!(refund.as_ref(), Some(&fixture.refund.0));
    let request = store.request(fixture.refund.1.id).await.unwrap().unwrap();
    assert_eq!(
        request.expose(),
        format!("request of {}", fixture.refund.1.id).as_bytes()
    );
    let record = CheckoutRepository::key(store, &fixture.answered).await;
    assert_eq!(record.unwrap().unwrap().response, Some(response()));
    let waiting = store.reserved_key(fixture.refund.1.id).await.unwrap();
    assert_eq!(waiting.as_ref(), Some(&fixture.waiting));
    let (key, merchant) = MerchantRepository::key(store, &fixture.api_key.1)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(merchant, fixture.merchant);
    assert_eq!(
        key.signing_key.expose_bytes(),
        fixture.api_key.0.signing_key.expose_bytes()
    );
    assert_eq!(
        BlocklistRepository::list(store).await.unwrap(),
        std::slice::from_ref(&fixture.ban)
    );
    let filter = EventFilter {
        merchant: fixture.merchant.id,
        session: Some(fixture.session.id),
        kind: None,
    };
    let page = Page {
        after: None,
        limit: 9,
    };
    let events = store.events(&filter, page).await.unwrap();
    assert_eq!(events.len(), 1);
    assert_eq!(
        (events[0].id, &events[0].event),
        (fixture.event.id, &fixture.event.event)
    );
    let depths = store.depths(fixture.build.now()).await.unwrap();
    let depths: Vec<_> = depths.iter().map(|one| (one.queue, one.depth)).collect();
    let expected = [
        (QueueName::Operations, 1),
        (QueueName::Deadlines, 0),
        (QueueName::Inbox, 1),
        (QueueName::Deliveries, 1),
    ];
    assert_eq!(depths, expected);
    let endpoint = store.endpoint(fixture.merchant.id).await.unwrap();
    assert_eq!(endpoint.as_ref(), Some(&fixture.endpoint));
    let outgoing = store.outgoing(&[fixture.event.id]).await.unwrap();
    assert_eq!(outgoing[0].event, events[0]);
    assert_eq!(outgoing[0].delivery.url, fixture.endpoint.url);
    let kept = store.notification(fixture.notification.id).await.unwrap();
    assert_eq!(kept.unwrap().new, fixture.notification);
}

#[tokio::test]
async fn a_reopened_file_contains_everything() {
    let mut fixture = Fixture::new().await;
    assert_contains_everything(&fixture.store, &fixture).await;
    fixture.store = open(&fixture.directory, 2);
    assert_contains_everything(&fixture.store, &fixture).await;
}

#[tokio::test]
async fn two_stores_on_one_file_see_each_others_commits() {
    let fixture = Fixture::new().await;
    let other = open(&fixture.directory, 2);
    assert_contains_everything(&other, &fixture).await;
    let (mine, theirs) = (
        fixture.build.next_unit(&fixture.session),
        fixture.build.next_unit(&fixture.session),
    );
    other.commit(theirs.clone()).await.unwrap();
    let late = fixture.store.commit(mine.clone()).await;
    assert!(matches!(late, Err(CommitError::Conflict)), "{late:?}");
    assert!(fixture.store.is_committed(&theirs).await.unwrap());
    assert!(!fixture.store.is_committed(&mine).await.unwrap());
}

#[tokio::test]
async fn a_write_waits_for_another_processs_lock() {
    let fixture = Fixture::new().await;
    let mut tool = fixture.raw();
    tool.batch_execute("BEGIN IMMEDIATE").unwrap();
    let unit = fixture.build.next_unit(&fixture.session);
    let store = fixture.store.clone();
    let mut commit = Box::pin(store.commit(unit));
    // The unit is queued; a reader is not blocked by the lock.
    let pending = std::future::poll_fn(|context| {
        std::task::Poll::Ready(commit.as_mut().poll(context).is_pending())
    });
    assert!(pending.await, "the unit was written despite the lock");
    assert!(store.session(fixture.session.id).await.unwrap().is_some());
    tool.batch_execute("ROLLBACK").unwrap();
    commit.await.unwrap();
}

#[cfg(unix)]
#[tokio::test]
async fn files_are_readable_by_the_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let fixture = Fixture::new().await;
    let mut seen = 0;
    for entry in fs::read_dir(fixture.directory.path()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}: {mode:o}", entry.path().display());
        seen += 1;
    }
    assert!(seen >= 2, "only {seen} files exist");
}

#[tokio::test]
async fn values_under_the_first_key_are_not_resealed() {
    let fixture = Fixture::new().await;
    assert_eq!(
        fixture.store.reseal().await.unwrap(),
        0,
        "a value was resealed"
    );
    fixture.store.ping().await.unwrap();
}
