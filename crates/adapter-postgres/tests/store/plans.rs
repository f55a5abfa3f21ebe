//! Every query of a request path is served by an index, on tables with many rows of others.

use std::time::Duration;

use oncharge_domain::{
    audit::AuditAction,
    cursor::Position,
    id::{EventId, NotificationId},
    psp::TokenFingerprint,
    session::{EventKind, StatusName},
    time::Timestamp,
    webhook::EndpointSecrets,
};
use oncharge_ports::{
    BlocklistRepository, CheckoutRepository, Inbox, KeyRegistry, Maintenance, MerchantRepository,
    WebhookRepository, WorkQueue,
    inbox::NotificationStatus,
    maintenance::{ExpiringRows, TimeRange},
    merchant_repository::{KeyRemoval, Rotation, RotationOutcome},
    queries::{EventFilter, Page, RefundFilter, SessionFilter},
    webhook_repository::{EndpointWrite, Redelivery, SecretRotation},
    work_queue::WantedItems,
};
use tokio_postgres::Client;

use crate::shop::{LEASE, Shop};

/// How many rows of other merchants there are in each table.
const OTHERS: i64 = 3000;

/// Copies the one row that is there many times, under other ids and another merchant.
const FILL: &str = "
    INSERT INTO merchants SELECT gen_random_uuid(), version, name, connector, account, automatic_capture,
        capture_delay_seconds, origins, require_idempotency_key, created_at
        FROM merchants, generate_series(1, 300);
    CREATE TEMP TABLE copies AS SELECT n, gen_random_uuid() AS session, gen_random_uuid() AS operation,
        (SELECT id FROM merchants ORDER BY id DESC LIMIT 1) AS merchant
        FROM generate_series(1, 3000) AS n;
    INSERT INTO api_keys SELECT gen_random_uuid(), merchant, sha256(session::text::bytea), signing_key,
        signing_key_key_id, key_hint, created_at, NULL, NULL FROM copies, api_keys;
    INSERT INTO sessions SELECT (jsonb_populate_record(sessions, jsonb_build_object('id', session,
        'merchant_id', merchant, 'created_at', created_at - n * interval '1 second',
        'due_at', '2099-01-01'::timestamptz))).* FROM copies, sessions
        WHERE sessions.id = (SELECT id FROM sessions WHERE status = 'created' LIMIT 1);
    INSERT INTO operations SELECT (jsonb_populate_record(operations, jsonb_build_object(
        'id', 'f' || substr(gen_random_uuid()::text, 2), 'session_id', session, 'merchant_id', merchant,
        'kind', 'capture', 'refund_id', null, 'automatic', true, 'status', 'failed',
        'failure', 'never_sent', 'request', null, 'request_key_id', null, 'next_try_at', null,
        'created_at', created_at - n * interval '1 second'))).*
        FROM copies, operations WHERE kind = 'refund';
    INSERT INTO operations SELECT (jsonb_populate_record(operations, jsonb_build_object('id', operation,
        'session_id', session, 'merchant_id', merchant, 'next_try_at', '2099-01-01'::timestamptz,
        'created_at', created_at - n * interval '1 second'))).*
        FROM copies, operations WHERE kind = 'refund';
    INSERT INTO refunds SELECT gen_random_uuid(), session, merchant, operation, amount, currency,
        reference, status, failure, psp_reference, created_at, updated_at FROM copies, refunds;
    INSERT INTO events SELECT gen_random_uuid(), session, merchant, 1, kind, status, amount,
        authorized, captured, refunded, currency, failure, failure_reason,
            psp_reference, attempt, refund_id, retry_until, created_at FROM copies, events;
    INSERT INTO idempotency_keys SELECT merchant, session::text, fingerprint, operation, created_at
        FROM copies, idempotency_keys WHERE operation_id IS NOT NULL;
    INSERT INTO contacts SELECT session, merchant, email, email_key_id, phone, phone_key_id
        FROM copies, (SELECT * FROM contacts LIMIT 1) AS one;
    INSERT INTO session_changes SELECT ('f' || substr(session::text, 2))::uuid, session, merchant, 2
        FROM copies;
    INSERT INTO bans SELECT session, 'email', 'p1', sha256(session::text::bytea), 'operator', NULL,
        now(), '2099-01-01', NULL FROM copies;
    INSERT INTO webhook_endpoints SELECT (jsonb_populate_record(webhook_endpoints,
        jsonb_build_object('merchant_id', numbered.id, 'id', numbered.id, 'key_id', keys.id))).*
        FROM webhook_endpoints, (SELECT id, row_number() OVER () AS n FROM merchants) AS numbered
        JOIN (SELECT id, row_number() OVER () AS n FROM api_keys) AS keys USING (n)
        WHERE numbered.id <> merchant_id;
    INSERT INTO deliveries SELECT id, session_id, merchant_id, sequence, session_id,
        'https://shop.example.com/', 'pending', 1, 1, 0, created_at, '2099-01-01' FROM events
        WHERE id NOT IN (SELECT event_id FROM deliveries);
    UPDATE deliveries SET state = 'delivered', next_try_at = NULL, ended_at = '2098-01-01'
        WHERE event_id IN (SELECT event_id FROM deliveries WHERE attempts = 1 LIMIT 1500);
    INSERT INTO delivery_attempts SELECT event_id, merchant_id, 1, created_at, 500, 1, '', NULL
        FROM deliveries WHERE attempts = 1;
    INSERT INTO psp_notifications SELECT operation, connector, account, session::text, 'handled', body,
        body_key_id, '2098-01-01', operation, session, NULL, 1, NULL, NULL
        FROM copies, psp_notifications;
    INSERT INTO idempotency_keys SELECT merchant, operation::text, sha256(session::text::bytea), NULL,
        '2098-01-01', '2098-01-01', 200, 'text/plain', sha256(session::text::bytea), 'k1' FROM copies;
    VACUUM ANALYZE;";

#[tokio::test(flavor = "multi_thread")]
async fn no_request_reads_a_whole_table() {
    let mut shop = Shop::open(1).await;
    let captured = shop.captured().await;
    shop.set_endpoint().await;
    let refunding = shop.refunding(&captured, "k");
    shop.store.commit(refunding.clone()).await.unwrap();
    let notification = shop.build.notification("evt-1");
    shop.store.receive(&notification).await.unwrap();
    let (paying, attempt) = shop.paying().await;
    let client = shop.database.client().await;
    for statement in FILL.split(';').filter(|text| !text.trim().is_empty()) {
        client.batch_execute(statement).await.unwrap();
    }
    let before = Reading::of(&client).await;
    // From here on only what requests and workers do, through a store that reads nothing else.
    let url = &shop.database.clocked_url();
    let store = crate::database::open(url, oncharge_conformance::keys(), 1)
        .await
        .unwrap();
    drop(std::mem::replace(&mut shop.store, store));
    lists(&shop).await;
    singles(&shop, &captured, &refunding, (&paying, &attempt)).await;
    webhooks(&shop, refunding.events[0].id).await;
    inbox(&shop, notification.id).await;
    crate::overseeing::oversee(&shop, &captured).await;
    let later = shop.build.now().plus_seconds(3600);
    let lease = Duration::from_secs(1);
    let operations = shop
        .at(later)
        .await
        .claim_operations(&WantedItems::up_to(10), lease)
        .await;
    assert!(!operations.unwrap().is_empty());
    let sessions = shop
        .at(later)
        .await
        .claim_sessions(&WantedItems::up_to(10), lease)
        .await;
    assert!(!sessions.unwrap().is_empty());
    clean_up(&shop, &client, later).await;
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

/// Deletes what is old of each kind; what the others have is all of later.
async fn clean_up(shop: &Shop, client: &Client, later: Timestamp) {
    let changes = "SELECT count(*) FROM session_changes WHERE unit_id < 'f0000000-0000-0000-0000-000000000000'";
    let changes: i64 = client.query_one(changes, &[]).await.unwrap().get(0);
    let mut deleted = 0;
    for rows in ExpiringRows::ALL {
        let before = match rows {
            // By the database's clock.
            ExpiringRows::Deliveries => Timestamp::from_unix_seconds(4_000_000_000).unwrap(),
            _ => later,
        };
        let range = TimeRange::before(before);
        let done = shop.store.delete_expired(rows, range, 100).await.unwrap();
        deleted += i64::try_from(done.count).unwrap();
    }
    // And an idempotency record, a notification, a delivery and two API keys.
    assert_eq!(deleted, changes + 5);
}

/// One event on its way, from the claim to its redelivery.
async fn webhooks(shop: &Shop, event: EventId) {
    let (lease, delivery) = shop.claimed(event).await;
    let recorded = shop.build.recorded((lease, &delivery), Ok(500), None);
    shop.store.record(&recorded).await.unwrap();
    let (merchant, now) = (shop.merchant.id, shop.build.now());
    shop.store.event(merchant, event).await.unwrap().unwrap();
    assert_eq!(shop.store.attempts(event).await.unwrap().len(), 1);
    let again = shop.store.redeliver(merchant, event, now).await.unwrap();
    assert_eq!(again, Redelivery::Due);
    let (lease, delivery) = shop.claimed(event).await;
    let recorded = shop.build.recorded((lease, &delivery), Ok(410), Some(now));
    shop.store.record(&recorded).await.unwrap();
    assert_eq!(
        shop.store.signing_keys(merchant, now).await.unwrap().len(),
        1
    );
    let audit = shop.build.audit(AuditAction::EndpointRemoved);
    assert!(shop.store.remove_endpoint(merchant, &audit).await.unwrap());
    for of in [None, Some(merchant)] {
        assert_eq!(shop.store.end_left_over(of).await.unwrap(), 0);
    }
    shop.set_endpoint().await;
    keys(shop).await;
    let since = now.plus_seconds(-60);
    let operations = shop.store.operations(since, None, 10).await.unwrap();
    let last = operations.last().unwrap();
    let last = Position {
        created_at: last.created_at,
        id: last.id.uuid(),
    };
    let next = shop.store.operations(since, Some(last), 10).await.unwrap();
    assert_eq!(next.len(), 10);
}

/// Keys and secrets: made, listed, used, replaced and ended.
async fn keys(shop: &Shop) {
    let (store, build, merchant) = (&shop.store, &shop.build, shop.merchant.id);
    let (key, hash) = build.api_key(&shop.merchant);
    let audit = || build.audit(AuditAction::KeyCreated);
    assert!(store.add_key(&key, &hash, &audit()).await.unwrap());
    store.record_key_use(key.id, build.now()).await.unwrap();
    store.key_by_id(key.id).await.unwrap().unwrap();
    let (new, hash) = build.api_key(&shop.merchant);
    let rotation = Rotation {
        key: new,
        hash,
        replaced: key.id,
        at: build.now(),
        replaced_ends_at: build.now().plus_seconds(60),
        remembered: None,
        audit: audit(),
    };
    let rotated = store.rotate_key(&rotation).await.unwrap();
    assert_eq!(rotated, RotationOutcome::Rotated);
    assert_eq!(store.keys(merchant, build.now()).await.unwrap().len(), 3);
    let (id, at) = (rotation.key.id, build.now());
    let removed = store.remove_key(merchant, id, at, &audit()).await.unwrap();
    assert_eq!(removed, KeyRemoval::Ended);
    let nobody = build.id();
    assert_eq!(store.end_all_keys(nobody, at, &audit()).await.unwrap(), 0);
    let next = shop.next_endpoint().await;
    let written = store.set_endpoint(&next, &audit()).await.unwrap();
    assert_eq!(written, EndpointWrite::Written);
    let rotation = SecretRotation {
        secrets: EndpointSecrets::new(build.webhook_secret()),
        read: next,
        remembered: None,
        audit: audit(),
    };
    assert!(store.rotate_secret(&rotation).await.unwrap());
}

/// One notification, from the claim to its dismissal.
async fn inbox(shop: &Shop, id: NotificationId) {
    let (now, wanted) = (shop.build.now(), WantedItems::up_to(10));
    let claimed = shop.at(now).await.claim_notifications(&wanted, LEASE);
    let lease = claimed.await.unwrap()[0].lease;
    let mismatched = shop.build.settled(lease, NotificationStatus::Mismatched);
    shop.store.settle(&mismatched).await.unwrap();
    let audit = shop.build.audit(AuditAction::NotificationDismissed);
    assert!(shop.store.dismiss(id, &audit).await.unwrap());
}

/// What was read of each table so far.
pub(crate) struct Reading(pub(crate) Vec<OfTable>);

pub(crate) struct OfTable {
    pub(crate) table: String,
    size: i64,
    whole: i64,
    pub(crate) rows: i64,
}

impl Reading {
    pub(crate) async fn of(client: &Client) -> Self {
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

/// Waits until nobody else is connected to the test's database.
pub(crate) async fn until_alone(client: &Client) {
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
        order_id: None,
        psp_reference: None,
        created_after: None,
        created_before: None,
        now,
    };
    let reference = oncharge_domain::text::Reference::parse("order-42").unwrap();
    let order_id = oncharge_domain::text::OrderId::parse("42").unwrap();
    let psp_reference = oncharge_domain::psp::PspReference::parse("psp-42").unwrap();
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
                order_id: Some(order_id.clone()),
                ..any.clone()
            },
            SessionFilter {
                psp_reference: Some(psp_reference.clone()),
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
    let ban = shop.build.ban([2; 32]);
    let (pepper, audit) = (shop.build.pepper(), shop.build.audit(AuditAction::BanAdded));
    assert!(store.add(&ban, &pepper, &audit).await.unwrap());
    let registered = store.registered_keys(shop.build.now()).await.unwrap();
    assert!(registered.peppers[0].has_live_bans);
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
