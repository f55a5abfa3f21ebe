//! Concurrent claims of several processes: none blocks, nothing is claimed twice, and one
//! merchant's backlog is not scanned for the others.

use std::collections::HashSet;

use futures_util::future::join_all;
use oncharge_adapter_postgres::PostgresStore;
use oncharge_domain::{audit::AuditAction, id::EventId, merchant::Merchant, session::EventKind};
use oncharge_ports::{
    CheckoutRepository, Inbox, MerchantRepository, WorkQueue,
    work_queue::{ClaimFilter, DeliveryClaimFilter},
};

use crate::{
    database::open,
    fixture::{Fixture, LEASE, any},
    query_plans::{TableReads, wait_until_alone},
};

/// Number of pending deliveries of one merchant in the tests of fairness.
const BACKLOG: i64 = 20_000;

#[tokio::test(flavor = "multi_thread")]
async fn rows_locked_by_another_claim_are_skipped() {
    let fixture = Fixture::open(1).await;
    fixture.set_endpoint().await;
    let (first, second) = (
        fixture.committed_event().await,
        fixture.committed_event().await,
    );
    let (one, two) = (
        fixture.build.notification("evt-1"),
        fixture.build.notification("evt-2"),
    );
    for new in [&one, &two] {
        fixture.store.receive(new).await.unwrap();
    }
    // Locks the row as another claim does just before its commit.
    let client = fixture.database.client().await;
    client.batch_execute("BEGIN").await.unwrap();
    for (row, id) in [
        ("deliveries WHERE event_id", first.uuid()),
        ("psp_notifications WHERE id", one.id.uuid()),
    ] {
        let lock = format!("SELECT FROM {row} = $1 FOR NO KEY UPDATE");
        assert_eq!(client.query(&lock, &[&id]).await.unwrap().len(), 1);
    }
    let now = fixture.build.now();
    let claimed = fixture.at(now).await.claim_deliveries(&any(), LEASE).await;
    let events: Vec<EventId> = claimed.unwrap().iter().map(|one| one.event).collect();
    assert_eq!(events, [second]);
    let claimed = fixture
        .at(now)
        .await
        .claim_notifications(&ClaimFilter::up_to(10), LEASE)
        .await;
    let ids: Vec<_> = claimed
        .unwrap()
        .iter()
        .map(|one| one.notification)
        .collect();
    assert_eq!(ids, [two.id]);
    client.batch_execute("ROLLBACK").await.unwrap();
    let claimed = fixture.at(now).await.claim_deliveries(&any(), LEASE).await;
    assert_eq!(claimed.unwrap()[0].event, first);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn four_processes_claim_each_delivery_once() {
    let fixture = Fixture::open(1).await;
    fixture.set_endpoint().await;
    let session = fixture.created_session().await;
    let telling = fixture
        .build
        .unit_with_event(&session, EventKind::PaymentError);
    fixture.store.commit(telling).await.unwrap();
    backlog(&fixture, &fixture.merchant, 400).await;
    let mut stores = Vec::new();
    for _ in 0..4 {
        let url = fixture.database.url_with_test_clock();
        let store = open(&url, oncharge_conformance::keys(), 2).await;
        stores.push(store.unwrap());
    }
    let now = fixture.build.now();
    fixture.at(now).await;
    let each = join_all(stores.iter().map(claim_all)).await;
    let all: Vec<EventId> = each.concat();
    assert_eq!(all.len(), 401);
    assert_eq!(all.iter().collect::<HashSet<_>>().len(), 401);
}

/// Claims until nothing is left; a claim that collides with another returns nothing, and the other
/// proceeds.
async fn claim_all(store: &PostgresStore) -> Vec<EventId> {
    let wanted = DeliveryClaimFilter {
        limit: 7,
        per_merchant: 7,
        busy: Vec::new(),
    };
    let mut events = Vec::new();
    loop {
        let claimed = store.claim_deliveries(&wanted, LEASE).await.unwrap();
        assert!(claimed.len() <= 7, "{}", claimed.len());
        events.extend(claimed.iter().map(|claimed| claimed.event));
        if claimed.is_empty() {
            return events;
        }
    }
}

/// Creates this many deliveries of this merchant, each of its own session, whose first attempt has
/// been due for an hour.
async fn backlog(fixture: &Fixture, merchant: &Merchant, count: i64) {
    let client = fixture.database.client().await;
    let fill = "
        CREATE TEMP TABLE copies AS
            SELECT gen_random_uuid() AS event, gen_random_uuid() AS session, n
            FROM generate_series(1, $COUNT) AS n;
        ALTER TABLE events DISABLE TRIGGER ALL;
        INSERT INTO events SELECT event, session, '$MERCHANT', 1, kind, status, amount,
            authorized, captured, refunded, currency, failure, failure_reason,
            psp_reference, attempt, refund_id, retry_until, created_at
            FROM copies, (SELECT * FROM events LIMIT 1) AS one;
        ALTER TABLE events ENABLE TRIGGER ALL;
        INSERT INTO deliveries SELECT event, session, '$MERCHANT', 1, session,
            'https://shop.example.com/', 'pending', 0, 0, 0, created_at, created_at - interval '1 hour' + n * interval '1 ms'
            FROM copies, (SELECT created_at FROM events LIMIT 1) AS one;";
    let fill = fill
        .replace("$COUNT", &count.to_string())
        .replace("$MERCHANT", &merchant.id.uuid().to_string());
    client.batch_execute(&fill).await.unwrap();
    client.batch_execute("ANALYZE").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_merchants_backlog_is_neither_claimed_nor_scanned() {
    let mut fixture = Fixture::open(1).await;
    fixture.set_endpoint().await;
    let small = fixture.committed_event().await;
    let big = fixture.build.merchant();
    let (key, hash) = fixture.build.api_key(&big);
    let audit = fixture.build.audit(AuditAction::MerchantCreated);
    fixture
        .store
        .create(&big, &key, &hash, &audit)
        .await
        .unwrap();
    backlog(&fixture, &big, BACKLOG).await;
    let client = fixture.database.client().await;
    let url = fixture.database.url_with_test_clock();
    let store = open(&url, oncharge_conformance::keys(), 1);
    drop(std::mem::replace(&mut fixture.store, store.await.unwrap()));
    wait_until_alone(&client).await;
    let before = deliveries_read(&client).await;
    let now = fixture.build.now();
    let mut wanted = DeliveryClaimFilter {
        limit: 50,
        per_merchant: 4,
        busy: Vec::new(),
    };
    let claimed = fixture
        .at(now)
        .await
        .claim_deliveries(&wanted, LEASE)
        .await
        .unwrap();
    let of_big = claimed.iter().filter(|one| one.merchant == big.id).count();
    assert_eq!(
        (of_big, claimed.len()),
        (4, 5),
        "the oldest four of the big merchant"
    );
    assert_eq!(claimed[4].event, small);
    fixture.store.release(claimed[4].lease, now).await.unwrap();
    wanted.busy = vec![big.id];
    // Enough executions for the server to switch to a generic plan.
    for _ in 0..8 {
        let claimed = fixture
            .at(now)
            .await
            .claim_deliveries(&wanted, LEASE)
            .await
            .unwrap();
        let events: Vec<EventId> = claimed.iter().map(|one| one.event).collect();
        assert_eq!(events, [small]);
        fixture.store.release(claimed[0].lease, now).await.unwrap();
    }
    let Fixture {
        store, database, ..
    } = fixture;
    drop(store);
    wait_until_alone(&client).await;
    let read = deliveries_read(&client).await - before;
    // Each claim reads the first 1000 due deliveries, and a few of each merchant's.
    assert!(read < 9 * 1100, "{read} of {BACKLOG} rows were read");
    drop(database);
}

async fn deliveries_read(client: &tokio_postgres::Client) -> i64 {
    let reading = TableReads::of(client).await;
    let of_table = reading.0.iter().find(|one| one.table == "deliveries");
    of_table.unwrap().rows
}
