//! Every query of a request path is served by an index, on tables with many rows of others.

use std::time::Duration;

use oncharge_domain::{
    cursor::Position,
    psp::TokenFingerprint,
    session::{EventKind, StatusName},
};
use oncharge_ports::{
    BlocklistRepository, CheckoutRepository, MerchantRepository, WorkQueue,
    queries::{EventFilter, Page, RefundFilter, SessionFilter},
};
use tokio_postgres::Client;

use crate::shop::Shop;

/// How many rows of other merchants there are in each table.
const OTHERS: i64 = 3000;

/// Copies the one row that is there many times, under other ids and another merchant.
const FILL: &str = "
    INSERT INTO merchants SELECT gen_random_uuid(), name, connector, account, automatic_capture,
        capture_delay_seconds, origins, require_idempotency_key, created_at
        FROM merchants, generate_series(1, 300);
    CREATE TEMP TABLE copies AS SELECT n, gen_random_uuid() AS session, gen_random_uuid() AS operation,
        (SELECT id FROM merchants ORDER BY id DESC LIMIT 1) AS merchant
        FROM generate_series(1, 3000) AS n;
    INSERT INTO api_keys SELECT gen_random_uuid(), merchant, sha256(session::text::bytea), signing_key,
        signing_key_key_id, created_at, NULL FROM copies, api_keys;
    INSERT INTO sessions SELECT (jsonb_populate_record(sessions, jsonb_build_object('id', session,
        'merchant_id', merchant, 'created_at', created_at - n * interval '1 second',
        'due_at', '2099-01-01'::timestamptz))).* FROM copies, sessions
        WHERE sessions.id = (SELECT id FROM sessions WHERE status = 'created' LIMIT 1);
    INSERT INTO operations SELECT (jsonb_populate_record(operations, jsonb_build_object('id', operation,
        'session_id', session, 'merchant_id', merchant, 'next_try_at', '2099-01-01'::timestamptz))).*
        FROM copies, operations WHERE kind = 'refund';
    INSERT INTO refunds SELECT gen_random_uuid(), session, merchant, operation, amount, currency,
        reference, status, failure, psp_reference, created_at, updated_at FROM copies, refunds;
    INSERT INTO events SELECT gen_random_uuid(), session, merchant, 1, kind, status, amount, currency,
        psp_reference, refund_id, retry_until, created_at FROM copies, events;
    INSERT INTO idempotency_keys SELECT merchant, session::text, fingerprint, operation, created_at
        FROM copies, idempotency_keys WHERE operation_id IS NOT NULL;
    INSERT INTO contacts SELECT session, email, email_key_id, phone, phone_key_id
        FROM copies, (SELECT * FROM contacts LIMIT 1) AS one;
    INSERT INTO session_changes SELECT session, 2, session FROM copies;
    INSERT INTO bans SELECT session, 'email', 'p1', sha256(session::text::bytea), 'operator', NULL,
        now(), '2099-01-01', NULL FROM copies;
    VACUUM ANALYZE;";

#[tokio::test(flavor = "multi_thread")]
async fn no_request_reads_a_whole_table() {
    let mut shop = Shop::open(1).await;
    let captured = shop.captured().await;
    let refunding = shop.refunding(&captured, "k");
    shop.store.commit(refunding.clone()).await.unwrap();
    let (paying, attempt) = shop.paying().await;
    let client = shop.database.client().await;
    for statement in FILL.split(';').filter(|text| !text.trim().is_empty()) {
        client.batch_execute(statement).await.unwrap();
    }
    let before = Reading::of(&client).await;
    // From here on only what requests and workers do, through a store that reads nothing else.
    let url = &shop.database.url;
    let store = crate::database::open(url, oncharge_conformance::keys(), 1)
        .await
        .unwrap();
    drop(std::mem::replace(&mut shop.store, store));
    lists(&shop).await;
    singles(&shop, &captured, &refunding, (&paying, &attempt)).await;
    let later = shop.build.now().plus_seconds(3600);
    let lease = Duration::from_secs(1);
    let operations = shop.store.claim_operations(later, 10, lease).await;
    assert!(!operations.unwrap().is_empty());
    let sessions = shop.store.claim_sessions(later, 10, lease).await;
    assert!(!sessions.unwrap().is_empty());
    let Shop {
        store, database, ..
    } = shop;
    drop(store);
    // A connection's figures are complete once it has ended.
    until_alone(&client).await;
    let after = Reading::of(&client).await;
    for (then, now) in before.0.iter().zip(&after.0) {
        assert_eq!(then.table, now.table);
        let read = now.rows - then.rows;
        assert!(read < OTHERS / 10, "{}: {read} rows were read", now.table);
        if now.size >= OTHERS {
            assert_eq!(
                now.whole - then.whole,
                0,
                "{} was read as a whole",
                now.table
            );
        }
    }
    drop(database);
}

/// What was read of each table so far.
struct Reading(Vec<OfTable>);

struct OfTable {
    table: String,
    size: i64,
    whole: i64,
    rows: i64,
}

impl Reading {
    async fn of(client: &Client) -> Self {
        let query = "SELECT relname::text, n_live_tup, seq_scan, \
                seq_tup_read + coalesce(idx_tup_fetch, 0) \
             FROM pg_stat_user_tables WHERE schemaname = 'public' AND relname !~ '^__' ORDER BY 1";
        let flush = "SELECT pg_stat_force_next_flush(), pg_stat_clear_snapshot()";
        client.batch_execute(flush).await.unwrap();
        let rows = client.query(query, &[]).await.unwrap();
        let read = |row: &tokio_postgres::Row| OfTable {
            table: row.get(0),
            size: row.get(1),
            whole: row.get(2),
            rows: row.get(3),
        };
        Self(rows.iter().map(read).collect())
    }
}

async fn until_alone(client: &Client) {
    let others = "SELECT count(*) FROM pg_stat_activity \
         WHERE datname = current_database() AND pid <> pg_backend_pid()";
    let mut count = 1_i64;
    while count > 0 {
        count = client.query_one(others, &[]).await.unwrap().get(0);
    }
}

async fn lists(shop: &Shop) {
    let now = shop.build.now();
    let any = SessionFilter {
        merchant: shop.merchant.id,
        status: None,
        reference: None,
        created_after: None,
        created_before: None,
        now,
    };
    let reference = oncharge_domain::text::Reference::parse("order-42").unwrap();
    let position = Position {
        created_at: now.plus_seconds(5),
        id: shop.merchant.id.uuid(),
    };
    for after in [None, Some(position)] {
        let page = Page { after, limit: 20 };
        let mut filters = vec![
            any.clone(),
            SessionFilter {
                reference: Some(reference.clone()),
                ..any.clone()
            },
            SessionFilter {
                created_after: Some(now.plus_seconds(-60)),
                created_before: Some(now.plus_seconds(60)),
                ..any.clone()
            },
        ];
        filters.extend(StatusName::ALL.iter().map(|status| SessionFilter {
            status: Some(*status),
            ..any.clone()
        }));
        for filter in filters {
            shop.store.sessions(&filter, page).await.unwrap();
        }
        let merchant = shop.merchant.id;
        for session in [None, Some(shop.build.id())] {
            let refunds = RefundFilter { merchant, session };
            shop.store.refunds(&refunds, page).await.unwrap();
            for kind in [None, Some(EventKind::RefundRequested)] {
                let events = EventFilter {
                    merchant,
                    session,
                    kind,
                };
                shop.store.events(&events, page).await.unwrap();
            }
        }
    }
}

async fn singles(
    shop: &Shop,
    captured: &oncharge_domain::session::Session,
    refunding: &oncharge_ports::UnitOfWork,
    (paying, attempt): (
        &oncharge_domain::session::Session,
        &oncharge_domain::operation::Operation,
    ),
) {
    let store = &shop.store;
    MerchantRepository::key(store, &shop.key_hash)
        .await
        .unwrap()
        .unwrap();
    store.merchant(shop.merchant.id).await.unwrap().unwrap();
    let hash = shop.build.ban([1; 32]).hash;
    store.live(&[hash], shop.build.now()).await.unwrap();
    let scope = shop.build.scope(&shop.merchant, "k");
    CheckoutRepository::key(store, &scope)
        .await
        .unwrap()
        .unwrap();
    store.commit(shop.creating_once("new")).await.unwrap();
    store.session(captured.id).await.unwrap().unwrap();
    assert!(store.committed(refunding).await.unwrap());
    let operation = refunding.operations[0].operation.id;
    store.operation(operation).await.unwrap().unwrap();
    store.request(operation).await.unwrap().unwrap();
    store.waiting_key(operation).await.unwrap().unwrap();
    store
        .refund(refunding.refund.as_ref().unwrap().id)
        .await
        .unwrap()
        .unwrap();
    store.unsent_refunds(captured.id).await.unwrap();
    let token = TokenFingerprint::of("tok_1");
    assert!(store.has_attempt(paying.id, token).await.unwrap());
    let mut unit = shop.build.next_unit(paying);
    unit.changed_operations = vec![oncharge_ports::unit_of_work::ChangedOperation {
        operation: attempt.clone(),
        next_try_at: Some(shop.build.now()),
    }];
    store.commit(unit).await.unwrap();
}
