//! Races between two writes of the store.

use futures_util::future::join_all;
use oncharge_domain::{audit::AuditAction, webhook::DeliveryState};
use oncharge_ports::{
    CheckoutRepository, CommitError, Maintenance, WebhookRepository, WorkQueue,
    maintenance::{ExpiringRows, TimeRange},
    webhook_repository::EndpointWrite,
    work_queue::QueueName,
};
use oncharge_testkit::build::endpoint_url;
use tokio_postgres::Client;

use crate::fixture::{Fixture, LEASE, any};

/// Waits until a statement of the store is blocked by this connection's transaction.
async fn wait_for_lock_wait(client: &Client) {
    let waiting = "SELECT FROM pg_stat_activity \
         WHERE datname = current_database() AND wait_event_type = 'Lock'";
    while client.query(waiting, &[]).await.unwrap().is_empty() {
        let fresh = "SELECT pg_stat_clear_snapshot()";
        client.batch_execute(fresh).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idempotency_key_reused_during_clean_up_is_kept() {
    let fixture = Fixture::open(1).await;
    fixture
        .store
        .commit(fixture.keyed_session_unit("k"))
        .await
        .unwrap();
    let client = fixture.database.client().await;
    // Takes the expired key as a request does just before its commit.
    let taken = "BEGIN; UPDATE idempotency_keys SET responded_at = '2090-01-01'";
    client.batch_execute(taken).await.unwrap();
    let later = fixture.build.now().plus_seconds(3600);
    let (records, range) = (ExpiringRows::IdempotencyRecords, TimeRange::before(later));
    let deleting = fixture.store.delete_expired(records, range, 10);
    let (deleted, ()) = tokio::join!(deleting, async {
        wait_for_lock_wait(&client).await;
        client.batch_execute("COMMIT").await.unwrap();
    });
    assert_eq!(deleted.unwrap().count, 0);
    let scope = fixture.build.scope(&fixture.merchant, "k");
    let kept = CheckoutRepository::key(&fixture.store, &scope)
        .await
        .unwrap();
    assert!(kept.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_response_from_an_old_url_does_not_change_the_new_endpoint() {
    let fixture = Fixture::open(1).await;
    fixture.set_endpoint().await;
    let (gone, waiting) = (
        fixture.committed_event().await,
        fixture.committed_event().await,
    );
    let (lease, delivery) = fixture.claim_delivery(gone).await;
    let mut moved = fixture.next_endpoint().await;
    moved.url = endpoint_url("https://new.example.com/");
    let audit = || fixture.build.audit(AuditAction::EndpointSet);
    let written = fixture.store.set_endpoint(&moved, &audit()).await.unwrap();
    assert_eq!(written, EndpointWrite::Written);
    let mut attempt_record = fixture
        .build
        .attempt_record(lease, &delivery, Ok(410), None);
    attempt_record.audit = Some(audit());
    let log = fixture.row_counts().await;
    fixture.store.record(&attempt_record).await.unwrap();
    let kept = fixture.store.endpoint(fixture.merchant.id).await.unwrap();
    assert_eq!(kept, Some(moved));
    let both = fixture.store.outgoing(&[gone, waiting]).await.unwrap();
    let state = |event| {
        let of_event = both.iter().find(|one| one.event.id == event);
        of_event.unwrap().delivery.state
    };
    assert_eq!(state(gone), DeliveryState::Dead);
    assert_eq!(state(waiting), DeliveryState::Pending);
    assert_eq!(fixture.store.attempts(gone).await.unwrap().len(), 1);
    let audited = |counts: &[(String, i64)]| {
        let log = counts.iter().find(|(table, _)| table == "audit_log");
        log.unwrap().1
    };
    let after = fixture.row_counts().await;
    assert_eq!(audited(&after), audited(&log), "the endpoint was disabled");
}

#[tokio::test(flavor = "multi_thread")]
async fn disabling_an_endpoint_does_not_deadlock_with_concurrent_changes() {
    let fixture = Fixture::open(4).await;
    fixture.set_endpoint().await;
    for _ in 0..20 {
        fixture.committed_event().await;
    }
    let now = fixture.build.now();
    let claimed = fixture.at(now).await.claim_deliveries(&any(), LEASE).await;
    let claimed = claimed.unwrap();
    let mut all = Vec::new();
    for (number, one) in claimed.iter().enumerate() {
        let outgoing = fixture
            .store
            .outgoing(&[one.event])
            .await
            .unwrap()
            .remove(0);
        let response = if number % 4 == 0 { 410 } else { 500 };
        all.push(
            fixture
                .build
                .attempt_record(one.lease, &outgoing.delivery, Ok(response), None),
        );
    }
    for attempt_record in join_all(
        all.iter()
            .map(|attempt_record| fixture.store.record(attempt_record)),
    )
    .await
    {
        // An attempt whose delivery has ended meanwhile has lost its lease.
        let is_fine = matches!(attempt_record, Ok(()) | Err(CommitError::LeaseLost));
        assert!(is_fine, "{attempt_record:?}");
    }
    let endpoint = fixture.store.endpoint(fixture.merchant.id).await.unwrap();
    assert!(endpoint.unwrap().disabled.is_some());
    let depths = fixture.store.depths(now).await.unwrap();
    let open = depths.iter().find(|one| one.queue == QueueName::Deliveries);
    assert_eq!(open.unwrap().depth, 0, "pending deliveries");
}

#[tokio::test(flavor = "multi_thread")]
async fn setting_an_endpoint_waits_for_a_concurrent_removal_and_sees_orphaned_deliveries() {
    let fixture = Fixture::open(1).await;
    fixture.set_endpoint().await;
    let open = fixture.committed_event().await;
    let client = fixture.database.client().await;
    // Disables the endpoint as a write does that has locked it, and leaves one orphaned delivery.
    let ends = "BEGIN; SELECT FROM merchants FOR NO KEY UPDATE; \
         UPDATE webhook_endpoints SET disabled = 'gone', disabled_at = now()";
    let endpoint = fixture.next_endpoint().await;
    client.batch_execute(ends).await.unwrap();
    let audit = || fixture.build.audit(AuditAction::EndpointSet);
    let entry = audit();
    let (set, ()) = tokio::join!(fixture.store.set_endpoint(&endpoint, &entry), async {
        wait_for_lock_wait(&client).await;
        client.batch_execute("COMMIT").await.unwrap();
    });
    assert_eq!(set.unwrap(), EndpointWrite::OrphanedDeliveries);
    let merchant = fixture.merchant.id;
    assert_eq!(
        fixture
            .store
            .end_orphaned_deliveries(Some(merchant))
            .await
            .unwrap(),
        1
    );
    let set = fixture.store.set_endpoint(&endpoint, &audit()).await;
    assert_eq!(set.unwrap(), EndpointWrite::Written);
    let found = fixture.store.outgoing(&[open]).await.unwrap();
    assert_eq!(found[0].delivery.state, DeliveryState::Dead);
}
