//! Two of the store's own writes that meet.

use futures_util::future::join_all;
use oncharge_domain::{audit::AuditAction, webhook::DeliveryState};
use oncharge_ports::{
    CheckoutRepository, CommitError, Maintenance, WebhookRepository, WorkQueue,
    maintenance::{ExpiringRows, TimeRange},
    webhook_repository::EndpointWrite,
    work_queue::Queue,
};
use oncharge_testkit::build::endpoint_url;
use tokio_postgres::Client;

use crate::shop::{LEASE, Shop, any};

/// Waits until a statement of the store's waits for a lock of this connection's transaction.
async fn until_it_waits(client: &Client) {
    let waiting = "SELECT FROM pg_stat_activity \
         WHERE datname = current_database() AND wait_event_type = 'Lock'";
    while client.query(waiting, &[]).await.unwrap().is_empty() {
        let fresh = "SELECT pg_stat_clear_snapshot()";
        client.batch_execute(fresh).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_taken_anew_while_it_is_cleaned_up_stays() {
    let shop = Shop::open(1).await;
    shop.store.commit(shop.creating_once("k")).await.unwrap();
    let client = shop.database.client().await;
    // As a request does that takes the forgotten key again, in the moment before its commit.
    let taken = "BEGIN; UPDATE idempotency_keys SET answered_at = '2090-01-01'";
    client.batch_execute(taken).await.unwrap();
    let later = shop.build.now().plus_seconds(3600);
    let (records, range) = (ExpiringRows::IdempotencyRecords, TimeRange::before(later));
    let deleting = shop.store.delete_expired(records, range, 10);
    let (deleted, ()) = tokio::join!(deleting, async {
        until_it_waits(&client).await;
        client.batch_execute("COMMIT").await.unwrap();
    });
    assert_eq!(deleted.unwrap().count, 0);
    let scope = shop.build.scope(&shop.merchant, "k");
    let kept = CheckoutRepository::key(&shop.store, &scope).await.unwrap();
    assert!(kept.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_old_url_answers_changes_nothing_of_the_new_one() {
    let shop = Shop::open(1).await;
    shop.set_endpoint().await;
    let (gone, waiting) = (shop.told().await, shop.told().await);
    let (lease, delivery) = shop.claimed(gone).await;
    let mut moved = shop.next_endpoint().await;
    moved.url = endpoint_url("https://new.example.com/");
    let audit = || shop.build.audit(AuditAction::EndpointSet);
    let written = shop.store.set_endpoint(&moved, &audit()).await.unwrap();
    assert_eq!(written, EndpointWrite::Written);
    let mut recorded = shop.build.recorded((lease, &delivery), Ok(410), None);
    recorded.audit = Some(audit());
    let log = shop.row_counts().await;
    shop.store.record(&recorded).await.unwrap();
    let kept = shop.store.endpoint(shop.merchant.id).await.unwrap();
    assert_eq!(kept, Some(moved));
    let both = shop.store.outgoing(&[gone, waiting]).await.unwrap();
    let state = |event| {
        let of_event = both.iter().find(|one| one.event.id == event);
        of_event.unwrap().delivery.state
    };
    assert_eq!(state(gone), DeliveryState::Dead);
    assert_eq!(state(waiting), DeliveryState::Pending);
    assert_eq!(shop.store.attempts(gone).await.unwrap().len(), 1);
    let audited = |counts: &[(String, i64)]| {
        let log = counts.iter().find(|(table, _)| table == "audit_log");
        log.unwrap().1
    };
    let after = shop.row_counts().await;
    assert_eq!(audited(&after), audited(&log), "nothing was disabled");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_disables_an_endpoint_waits_for_what_changes_it_and_blocks_nobody_in_a_circle() {
    let shop = Shop::open(4).await;
    shop.set_endpoint().await;
    for _ in 0..20 {
        shop.told().await;
    }
    let now = shop.build.now();
    let claimed = shop.at(now).await.claim_deliveries(&any(), LEASE).await;
    let claimed = claimed.unwrap();
    let mut all = Vec::new();
    for (number, one) in claimed.iter().enumerate() {
        let outgoing = shop.store.outgoing(&[one.event]).await.unwrap().remove(0);
        let answer = if number % 4 == 0 { 410 } else { 500 };
        let recorded = (one.lease, &outgoing.delivery);
        all.push(shop.build.recorded(recorded, Ok(answer), None));
    }
    for recorded in join_all(all.iter().map(|recorded| shop.store.record(recorded))).await {
        // One whose delivery was ended meanwhile has lost its lease, and that is all.
        let is_fine = matches!(recorded, Ok(()) | Err(CommitError::LeaseLost));
        assert!(is_fine, "{recorded:?}");
    }
    let endpoint = shop.store.endpoint(shop.merchant.id).await.unwrap();
    assert!(endpoint.unwrap().disabled.is_some());
    let depths = shop.store.depths(now).await.unwrap();
    let open = depths.iter().find(|one| one.queue == Queue::Deliveries);
    assert_eq!(open.unwrap().depth, 0, "what was on the way has died");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_is_set_while_one_ends_waits_and_sees_what_is_left_over() {
    let shop = Shop::open(1).await;
    shop.set_endpoint().await;
    let open = shop.told().await;
    let client = shop.database.client().await;
    // As an end does that has its turn, and leaves a delivery over.
    let ends = "BEGIN; SELECT FROM merchants FOR NO KEY UPDATE; \
         UPDATE webhook_endpoints SET disabled = 'gone', disabled_at = now()";
    let endpoint = shop.next_endpoint().await;
    client.batch_execute(ends).await.unwrap();
    let audit = || shop.build.audit(AuditAction::EndpointSet);
    let entry = audit();
    let (set, ()) = tokio::join!(shop.store.set_endpoint(&endpoint, &entry), async {
        until_it_waits(&client).await;
        client.batch_execute("COMMIT").await.unwrap();
    });
    assert_eq!(set.unwrap(), EndpointWrite::LeftOver);
    let merchant = shop.merchant.id;
    assert_eq!(shop.store.end_left_over(Some(merchant)).await.unwrap(), 1);
    let set = shop.store.set_endpoint(&endpoint, &audit()).await;
    assert_eq!(set.unwrap(), EndpointWrite::Written);
    let found = shop.store.outgoing(&[open]).await.unwrap();
    assert_eq!(found[0].delivery.state, DeliveryState::Dead);
}
