//! Every query of a request is served by an index, on tables with many rows of other merchants.

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
    merchant_repository::{KeyRemoval, KeyRotation, RotationOutcome},
    queries::{EventFilter, Page, RefundFilter, SessionFilter},
    webhook_repository::{EndpointWrite, Redelivery, SecretRotation},
    work_queue::ClaimFilter,
};
use tokio_postgres::Client;

use crate::fixture::{Fixture, LEASE};

/// Number of rows of other merchants in each table.
const OTHERS: i64 = 3000;

/// Copies the single row of a table many times, with other ids and another merchant.
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
async fn no_request_scans_a_whole_table() {
    let mut fixture = Fixture::open(1).await;
    let captured = fixture.captured_session().await;
    fixture.set_endpoint().await;
    let refunding = fixture.refund_unit(&captured, "k");
    fixture.store.commit(refunding.clone()).await.unwrap();
    let notification = fixture.build.notification("evt-1");
    fixture.store.receive(&notification).await.unwrap();
    let (paying, attempt) = fixture.paying_session().await;
    let client = fixture.database.client().await;
    for statement in FILL.split(';').filter(|text| !text.trim().is_empty()) {
        client.batch_execute(statement).await.unwrap();
    }
    let before = TableReads::of(&client).await;
    // From here on, only requests and workers use the store.
    let url = &fixture.database.url_with_test_clock();
    let store = crate::database::open(url, oncharge_conformance::keys(), 1)
        .await
        .unwrap();
    drop(std::mem::replace(&mut fixture.store, store));
    lists(&fixture).await;
    singles(&fixture, &captured, &refunding, &paying, &attempt).await;
    webhooks(&fixture, refunding.events[0].id).await;
    inbox(&fixture, notification.id).await;
    crate::operator_queries::run_operator_queries(&fixture, &captured).await;
    let later = fixture.build.now().plus_seconds(3600);
    let lease = Duration::from_secs(1);
    let operations = fixture
        .at(later)
        .await
        .claim_operations(&ClaimFilter::up_to(10), lease)
        .await;
    assert!(!operations.unwrap().is_empty());
    let sessions = fixture
        .at(later)
        .await
        .claim_sessions(&ClaimFilter::up_to(10), lease)
        .await;
    assert!(!sessions.unwrap().is_empty());
    clean_up(&fixture, &client, later).await;
    let Fixture {
        store, database, ..
    } = fixture;
    drop(store);
    // A connection's statistics are complete once it has ended.
    wait_until_alone(&client).await;
    let after = TableReads::of(&client).await;
    for (then, now) in before.0.iter().zip(&after.0) {
        assert_eq!(then.table, now.table);
        let read = now.rows - then.rows;
        assert!(read < OTHERS / 10, "{}: {read} rows were read", now.table);
        if now.size >= OTHERS {
            assert_eq!(
                now.full_scans - then.full_scans,
                0,
                "a full scan of {}",
                now.table
            );
        }
    }
    drop(database);
}

/// Deletes old rows of each kind; the other merchants' rows are all newer.
async fn clean_up(fixture: &Fixture, client: &Client, later: Timestamp) {
    let changes = "SELECT count(*) FROM session_changes WHERE unit_id < 'f0000000-0000-0000-0000-000000000000'";
    let changes: i64 = client.query_one(changes, &[]).await.unwrap().get(0);
    let mut deleted = 0;
    for rows in ExpiringRows::ALL {
        let before = match rows {
            // Uses the database's clock.
            ExpiringRows::Deliveries => Timestamp::from_unix_seconds(4_000_000_000).unwrap(),
            _ => later,
        };
        let range = TimeRange::before(before);
        let done = fixture
            .store
            .delete_expired(rows, range, 100)
            .await
            .unwrap();
        deleted += i64::try_from(done.count).unwrap();
    }
    // Also an idempotency record, a notification, a delivery and two API keys.
    assert_eq!(deleted, changes + 5);
}

/// One delivery, from the claim to its redelivery.
async fn webhooks(fixture: &Fixture, event: EventId) {
    let (lease, delivery) = fixture.claim_delivery(event).await;
    let attempt_record = fixture
        .build
        .attempt_record(lease, &delivery, Ok(500), None);
    fixture.store.record(&attempt_record).await.unwrap();
    let (merchant, now) = (fixture.merchant.id, fixture.build.now());
    fixture.store.event(merchant, event).await.unwrap().unwrap();
    assert_eq!(fixture.store.attempts(event).await.unwrap().len(), 1);
    let again = fixture.store.redeliver(merchant, event, now).await.unwrap();
    assert_eq!(again, Redelivery::Due);
    let (lease, delivery) = fixture.claim_delivery(event).await;
    let attempt_record = fixture
        .build
        .attempt_record(lease, &delivery, Ok(410), Some(now));
    fixture.store.record(&attempt_record).await.unwrap();
    assert_eq!(
        fixture
            .store
            .signing_keys(merchant, now)
            .await
            .unwrap()
            .len(),
        1
    );
    let audit = fixture.build.audit(AuditAction::EndpointRemoved);
    assert!(
        fixture
            .store
            .remove_endpoint(merchant, &audit)
            .await
            .unwrap()
    );
    for of in [None, Some(merchant)] {
        assert_eq!(fixture.store.end_orphaned_deliveries(of).await.unwrap(), 0);
    }
    fixture.set_endpoint().await;
    keys(fixture).await;
    let since = now.plus_seconds(-60);
    let operations = fixture.store.operations(since, None, 10).await.unwrap();
    let last = operations.last().unwrap();
    let last = Position {
        created_at: last.created_at,
        id: last.id.uuid(),
    };
    let next = fixture
        .store
        .operations(since, Some(last), 10)
        .await
        .unwrap();
    assert_eq!(next.len(), 10);
}

/// API keys and secrets: created, listed, used, rotated and ended.
async fn keys(fixture: &Fixture) {
    let (store, build, merchant) = (&fixture.store, &fixture.build, fixture.merchant.id);
    let (key, hash) = build.api_key(&fixture.merchant);
    let audit = || build.audit(AuditAction::KeyCreated);
    assert!(store.add_key(&key, &hash, &audit()).await.unwrap());
    store.record_key_use(key.id, build.now()).await.unwrap();
    store.key_with_id(key.id).await.unwrap().unwrap();
    let (new, hash) = build.api_key(&fixture.merchant);
    let rotation = KeyRotation {
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
    let next = fixture.next_endpoint().await;
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
async fn inbox(fixture: &Fixture, id: NotificationId) {
    let (now, wanted) = (fixture.build.now(), ClaimFilter::up_to(10));
    let claimed = fixture.at(now).await.claim_notifications(&wanted, LEASE);
    let lease = claimed.await.unwrap()[0].lease;
    let mismatched = fixture
        .build
        .notification_outcome(lease, NotificationStatus::Mismatched);
    fixture.store.close(&mismatched).await.unwrap();
    let audit = fixture.build.audit(AuditAction::NotificationDismissed);
    assert!(fixture.store.dismiss(id, &audit).await.unwrap());
}

/// The rows read from each table so far.
pub(crate) struct TableReads(pub(crate) Vec<TableRead>);

pub(crate) struct TableRead {
    pub(crate) table: String,
    size: i64,
    full_scans: i64,
    pub(crate) rows: i64,
}

impl TableReads {
    pub(crate) async fn of(client: &Client) -> Self {
        let query = "SELECT relname::text, n_live_tup, seq_scan, \
                seq_tup_read + coalesce(idx_tup_fetch, 0) \
             FROM pg_stat_user_tables WHERE schemaname = 'public' AND relname !~ '^__' ORDER BY 1";
        let flush = "SELECT pg_stat_force_next_flush(), pg_stat_clear_snapshot()";
        client.batch_execute(flush).await.unwrap();
        let rows = client.query(query, &[]).await.unwrap();
        let read = |row: &tokio_postgres::Row| TableRead {
            table: row.get(0),
            size: row.get(1),
            full_scans: row.get(2),
            rows: row.get(3),
        };
        Self(rows.iter().map(read).collect())
    }
}

/// Waits until no other connection to the test's database is open.
pub(crate) async fn wait_until_alone(client: &Client) {
    let others = "SELECT count(*) FROM pg_stat_activity \
         WHERE datname = current_database() AND pid <> pg_backend_pid()";
    let mut count = 1_i64;
    while count > 0 {
        count = client.query_one(others, &[]).await.unwrap().get(0);
    }
}

async fn lists(fixture: &Fixture) {
    let now = fixture.build.now();
    let any = SessionFilter {
        merchant: fixture.merchant.id,
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
        id: fixture.merchant.id.uuid(),
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
            fixture.store.sessions(&filter, page).await.unwrap();
        }
        let merchant = fixture.merchant.id;
        for session in [None, Some(fixture.build.id())] {
            let refunds = RefundFilter { merchant, session };
            fixture.store.refunds(&refunds, page).await.unwrap();
            for kind in [None, Some(EventKind::RefundRequested)] {
                let events = EventFilter {
                    merchant,
                    session,
                    kind,
                };
                fixture.store.events(&events, page).await.unwrap();
            }
        }
    }
}

async fn singles(
    fixture: &Fixture,
    captured: &oncharge_domain::session::Session,
    refunding: &oncharge_ports::UnitOfWork,
    paying: &oncharge_domain::session::Session,
    attempt: &oncharge_domain::operation::Operation,
) {
    let store = &fixture.store;
    MerchantRepository::key(store, &fixture.key_hash)
        .await
        .unwrap()
        .unwrap();
    store.merchant(fixture.merchant.id).await.unwrap().unwrap();
    let hash = fixture.build.ban([1; 32]).hash;
    store.live_bans(&[hash], fixture.build.now()).await.unwrap();
    let ban = fixture.build.ban([2; 32]);
    let (pepper, audit) = (
        fixture.build.pepper(),
        fixture.build.audit(AuditAction::BanAdded),
    );
    assert!(store.add(&ban, &pepper, &audit).await.unwrap());
    let registered = store.registered_keys(fixture.build.now()).await.unwrap();
    assert!(registered.peppers[0].has_live_bans);
    let scope = fixture.build.scope(&fixture.merchant, "k");
    CheckoutRepository::key(store, &scope)
        .await
        .unwrap()
        .unwrap();
    store
        .commit(fixture.keyed_session_unit("new"))
        .await
        .unwrap();
    store.session(captured.id).await.unwrap().unwrap();
    assert!(store.is_committed(refunding).await.unwrap());
    let operation = refunding.operations[0].operation.id;
    store.operation(operation).await.unwrap().unwrap();
    store.request(operation).await.unwrap().unwrap();
    store.reserved_key(operation).await.unwrap().unwrap();
    store
        .refund(refunding.refund.as_ref().unwrap().id)
        .await
        .unwrap()
        .unwrap();
    store.unsent_refunds(captured.id).await.unwrap();
    let token = TokenFingerprint::of("tok_1");
    assert!(store.has_attempt(paying.id, token).await.unwrap());
    let mut unit = fixture.build.next_unit(paying);
    unit.changed_operations = vec![oncharge_ports::unit_of_work::ChangedOperation {
        operation: attempt.clone(),
        next_try_at: Some(fixture.build.now()),
    }];
    store.commit(unit).await.unwrap();
}
