//! Every statement of requests and workers is served by an index, according to SQLite's query plan.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use diesel::{
    QueryableByName, RunQueryDsl, SqliteConnection,
    connection::{InstrumentationEvent, set_default_instrumentation},
    sql_query,
    sql_types::Text,
};
use oncharge_domain::{
    audit::AuditAction,
    cursor::Position,
    operation::SendState,
    psp::{PspReference, TokenFingerprint},
    refund::RefundStatus,
    session::{EventKind, StatusName},
    text::OrderId,
    webhook::EndpointSecrets,
};
use oncharge_ports::{
    BlocklistRepository, CheckoutRepository, Inbox, Maintenance, MerchantRepository,
    OperatorQueries, WebhookRepository, WorkQueue,
    inbox::NotificationStatus,
    maintenance::{ExpiringRows, TimeRange},
    merchant_repository::{KeyRemoval, KeyRotation, RotationOutcome},
    operator_queries::{SessionIdentifier, SessionSearch},
    queries::{EventFilter, Page, RefundFilter, SessionFilter},
    unit_of_work::{ChangedOperation, IdempotencyWrite},
    webhook_repository::{EndpointWrite, Redelivery, SecretRotation},
    work_queue::{ClaimFilter, DeliveryClaimFilter, StuckKind},
};

use crate::fixture::{Fixture, TOKEN, fingerprint, response};

/// API keys and secrets: created, listed, used, rotated and ended.
async fn keys(fixture: &Fixture) {
    let (store, build, merchant) = (&fixture.store, &fixture.build, fixture.merchant.id);
    let (key, hash) = build.api_key(&fixture.merchant);
    let audit = || build.audit(AuditAction::KeyCreated);
    assert!(store.add_key(&key, &hash, &audit()).await.unwrap());
    let (other, other_hash) = build.api_key(&fixture.merchant);
    assert!(store.add_key(&other, &other_hash, &audit()).await.unwrap());
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
    let rotation = SecretRotation {
        secrets: EndpointSecrets::new(build.webhook_secret()),
        read: fixture.endpoint.clone(),
        remembered: None,
        audit: audit(),
    };
    assert!(store.rotate_secret(&rotation).await.unwrap());
}

/// The texts of all statements of all connections.
static STATEMENTS: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

fn take_statements() -> BTreeSet<String> {
    std::mem::take(&mut *STATEMENTS.lock().unwrap_or_else(PoisonError::into_inner))
}

fn record_statements() {
    set_default_instrumentation(|| {
        Some(Box::new(|event: InstrumentationEvent<'_>| {
            if let InstrumentationEvent::StartQuery { query, .. } = event {
                let text = query.to_string();
                let bare = text.split(" -- binds").next().unwrap_or_default();
                let mut all = STATEMENTS.lock().unwrap_or_else(PoisonError::into_inner);
                all.insert(bare.to_owned());
            }
        }))
    })
    .unwrap();
}

#[derive(QueryableByName)]
struct Step {
    #[diesel(sql_type = Text)]
    detail: String,
}

/// Allowed scans: no row; the subqueries of merchants and the list of `claim_deliveries`; the index
/// that contains only the sessions of failed captures; a limited inner query to be counted; the
/// nodes, which are few.
const ALLOWED_SCANS: [&str; 6] = [
    "SCAN CONSTANT ROW",
    "SCAN merchant",
    "SCAN json_each VIRTUAL TABLE INDEX 1:",
    "SCAN session USING COVERING INDEX sessions_capture_failed",
    "SCAN (subquery-1)",
    "SCAN nodes",
];

/// The steps of SQLite's plan.
fn plan(connection: &mut SqliteConnection, statement: &str) -> Vec<String> {
    let steps: Vec<Step> = sql_query(format!("EXPLAIN QUERY PLAN {statement}"))
        .load(connection)
        .unwrap();
    steps.into_iter().map(|step| step.detail).collect()
}

/// The indexes of which a filtered list of a merchant must use one.
fn narrow_indexes(statement: &str) -> Option<&'static [&'static str]> {
    if !statement.contains("sessions.merchant_id = ?") {
        None
    } else if statement.contains("`operations`.`psp_reference` = ?") {
        Some(&["sqlite_autoindex_sessions_1"])
    } else if statement.contains("sessions.order_id = ?") {
        Some(&["sessions_by_order", "sessions_by_reference"])
    } else if statement.contains("sessions.reference = ?") {
        Some(&["sessions_by_reference"])
    } else {
        None
    }
}

/// The steps of SQLite's plan that scan a whole table or index.
fn scans(connection: &mut SqliteConnection, statement: &str) -> Vec<String> {
    plan(connection, statement)
        .into_iter()
        .filter(|detail| detail.starts_with("SCAN") && !ALLOWED_SCANS.contains(&detail.as_str()))
        .collect()
}

#[tokio::test]
async fn no_statement_scans_a_whole_table() {
    record_statements();
    let fixture = Fixture::new().await;
    lists(&fixture).await;
    reads_and_writes(&fixture).await;
    work(&fixture).await;
    webhooks(&fixture).await;
    keys(&fixture).await;
    inbox_and_clean_up(&fixture).await;
    run_operator_queries(&fixture).await;
    let ours = ["SELECT", "UPDATE", "DELETE", "INSERT", "WITH"];
    let mut connection = fixture.raw();
    let (mut checked, mut narrow, mut by_kind) = (0, 0, 0);
    for statement in take_statements() {
        let migration = statement.contains("__diesel_schema_migrations");
        if migration || !ours.iter().any(|word| statement.starts_with(word)) {
            continue;
        }
        let of_a_kind = statement.contains("`events`.`kind` = ?")
            && statement.contains("`events`.`merchant_id` = ?");
        if of_a_kind {
            let plan = plan(&mut connection, &statement).join("\n");
            let index = "USING INDEX events_by_kind (merchant_id=? AND kind=?";
            assert!(plan.contains(index), "{statement}\n{plan}");
            assert!(!plan.contains("TEMP B-TREE"), "{statement}\n{plan}");
            by_kind += 1;
        }
        let scans = scans(&mut connection, &statement);
        assert!(scans.is_empty(), "{statement}\n  {scans:?}");
        checked += 1;
        if let Some(indexes) = narrow_indexes(&statement) {
            let plan = plan(&mut connection, &statement);
            let uses = |step: &String| {
                let uses = |index| step.contains(&format!("SEARCH sessions USING INDEX {index} "));
                indexes.iter().any(uses)
            };
            assert!(plan.iter().any(uses), "{statement}\n  {plan:?}");
            narrow += 1;
        }
    }
    assert!(narrow > 50, "too few filtered lists were checked: {narrow}");
    assert_eq!(
        by_kind, 2,
        "events of one kind: the first page and a later one"
    );
    assert!(checked > 70, "too few statements were checked: {checked}");
    assert_eq!(
        scans(
            &mut connection,
            "SELECT * FROM sessions WHERE return_url = 'x'"
        )
        .len(),
        1,
        "a full scan was not detected"
    );
}

/// All combinations of the filters that identify a session.
fn names(fixture: &Fixture) -> Vec<SessionFilter> {
    let mut all = Vec::new();
    let order_id = OrderId::parse("42").unwrap();
    let psp_reference = PspReference::parse("psp-42").unwrap();
    for reference in [None, Some(fixture.session.reference.clone())] {
        for order_id in [None, Some(order_id.clone())] {
            for psp_reference in [None, Some(psp_reference.clone())] {
                all.push(SessionFilter {
                    merchant: fixture.merchant.id,
                    status: None,
                    reference: reference.clone(),
                    order_id: order_id.clone(),
                    psp_reference,
                    created_after: None,
                    created_before: None,
                    now: fixture.build.now(),
                });
            }
        }
    }
    all
}

/// Every list with every filter, on the first page and a later one.
async fn lists(fixture: &Fixture) {
    let after = Some(Position {
        created_at: fixture.build.now(),
        id: fixture.session.id.uuid(),
    });
    for after in [None, after] {
        let page = Page { after, limit: 20 };
        let statuses = StatusName::ALL.iter().copied().map(Some);
        for status in statuses.chain([None]) {
            for named in names(fixture) {
                for at in [None, Some(fixture.build.now())] {
                    let filter = SessionFilter {
                        status,
                        created_after: at,
                        created_before: at,
                        ..named.clone()
                    };
                    fixture.store.sessions(&filter, page).await.unwrap();
                }
            }
        }
        for session in [None, Some(fixture.session.id)] {
            let merchant = fixture.merchant.id;
            let filter = RefundFilter { merchant, session };
            fixture.store.refunds(&filter, page).await.unwrap();
            for kind in [None, Some(EventKind::RefundFailed)] {
                let filter = EventFilter {
                    merchant,
                    session,
                    kind,
                };
                fixture.store.events(&filter, page).await.unwrap();
            }
        }
    }
}

async fn reads_and_writes(fixture: &Fixture) {
    let (store, build) = (&fixture.store, &fixture.build);
    store.session(fixture.session.id).await.unwrap();
    store.operation(fixture.attempt.id).await.unwrap();
    store.request(fixture.attempt.id).await.unwrap();
    store.refund(fixture.refund.0.id).await.unwrap();
    store.unsent_refunds(fixture.session.id).await.unwrap();
    store.reserved_key(fixture.refund.1.id).await.unwrap();
    CheckoutRepository::key(store, &fixture.answered)
        .await
        .unwrap();
    let token = TokenFingerprint::of(TOKEN);
    assert!(store.has_attempt(fixture.session.id, token).await.unwrap());
    MerchantRepository::key(store, &fixture.api_key.1)
        .await
        .unwrap();
    let audit = build.audit(AuditAction::SettingsChanged);
    let mut merchant = fixture.merchant.clone();
    merchant.version += 1;
    assert!(store.update(&merchant, &audit).await.unwrap());
    let audit = build.audit(AuditAction::KeyRevoked);
    store
        .end_key(fixture.api_key.0.id, build.now(), &audit)
        .await
        .unwrap();
    let live_bans = store.live_bans(std::slice::from_ref(&fixture.ban.hash), build.now());
    assert_eq!(live_bans.await.unwrap().len(), 1);
    let pepper = build.pepper();
    let rehashed = store.rehash(fixture.ban.id, &fixture.ban.hash, &pepper);
    assert!(rehashed.await.unwrap());
    let audit = build.audit(AuditAction::BanRevoked);
    assert!(
        store
            .revoke(fixture.ban.id, build.now(), &audit)
            .await
            .unwrap()
    );

    // A key that is reserved, answered and released; an operation and a refund that change.
    let mut again = build.next_unit(&fixture.session);
    again.key = Some(IdempotencyWrite::ReserveAndComplete {
        scope: fixture.answered.clone(),
        fingerprint: fingerprint(),
        response: response(),
        at: build.now(),
    });
    store.commit(again).await.unwrap_err();
    let mut unit = build.next_unit(&fixture.session);
    let mut operation = fixture.refund.1.clone();
    operation.sending = SendState::Accepted;
    let mut refund = fixture.refund.0.clone();
    refund.status = RefundStatus::Succeeded;
    unit.changed_operations = vec![ChangedOperation {
        operation,
        next_try_at: Some(build.now()),
    }];
    unit.changed_refunds = vec![refund];
    unit.key = Some(IdempotencyWrite::Complete {
        scope: fixture.waiting.clone(),
        response: response(),
        at: build.now(),
    });
    assert!(!store.is_committed(&unit).await.unwrap());
    let session = unit.session.clone();
    store.commit(unit).await.unwrap();
    let mut unit = build.next_unit(&session);
    unit.key = Some(IdempotencyWrite::Release {
        scope: fixture.waiting.clone(),
    });
    store.commit(unit).await.unwrap();
}

async fn work(fixture: &Fixture) {
    let store = &fixture.store;
    let late = fixture.build.now().plus_seconds(9999);
    let lease = Duration::from_secs(15);
    let operations = fixture
        .at(late)
        .claim_operations(&ClaimFilter::up_to(10), lease)
        .await
        .unwrap();
    let sessions = fixture
        .at(late)
        .claim_sessions(&ClaimFilter::up_to(10), lease)
        .await
        .unwrap();
    let inbox = fixture
        .at(late)
        .claim_notifications(&ClaimFilter::up_to(10), lease)
        .await
        .unwrap();
    assert_eq!((operations.len(), sessions.len(), inbox.len()), (1, 1, 1));
    for lease_of in [operations[0].lease, sessions[0].lease, inbox[0].lease] {
        assert!(store.renew(lease_of, lease).await.unwrap());
        store.release(lease_of, late).await.unwrap();
    }
    store.make_all_due(fixture.build.now()).await.unwrap();
}

async fn webhooks(fixture: &Fixture) {
    let (store, build, merchant) = (&fixture.store, &fixture.build, fixture.merchant.id);
    let late = build.now().plus_seconds(9999);
    let long = Duration::from_secs(15);
    let wanted = DeliveryClaimFilter {
        limit: 10,
        per_merchant: 2,
        busy: vec![build.id()],
    };
    let taken = fixture
        .at(late)
        .claim_deliveries(&wanted, long)
        .await
        .unwrap();
    let out = store.outgoing(&[fixture.event.id]).await.unwrap();
    let mut attempt_record = build.attempt_record(taken[0].lease, &out[0].delivery, Ok(410), None);
    attempt_record.audit = Some(build.audit(AuditAction::EndpointDisabled));
    store.record(&attempt_record).await.unwrap();
    assert_eq!(store.attempts(fixture.event.id).await.unwrap().len(), 1);
    let again = store.redeliver(merchant, fixture.event.id, late);
    assert_eq!(again.await.unwrap(), Redelivery::NoEndpoint);
    let (endpoint, secret) = (&fixture.endpoint, build.webhook_secret());
    let enabled = endpoint.reconfigured(endpoint.url.clone(), endpoint.key, secret, late);
    let audit = build.audit(AuditAction::EndpointSet);
    let written = store.set_endpoint(&enabled, &audit).await.unwrap();
    assert_eq!(written, EndpointWrite::Written);
    for (response, failing) in [(500, None), (200, Some(build.now()))] {
        let again = store.redeliver(merchant, fixture.event.id, late);
        assert_eq!(again.await.unwrap(), Redelivery::Due);
        let taken = fixture
            .at(late)
            .claim_deliveries(&wanted, long)
            .await
            .unwrap();
        let out = store.outgoing(&[fixture.event.id]).await.unwrap();
        let attempt_record =
            build.attempt_record(taken[0].lease, &out[0].delivery, Ok(response), failing);
        store.record(&attempt_record).await.unwrap();
    }
    store.event(merchant, fixture.event.id).await.unwrap();
    store.signing_keys(merchant, build.now()).await.unwrap();
    let audit = build.audit(AuditAction::EndpointRemoved);
    assert!(store.remove_endpoint(merchant, &audit).await.unwrap());
    for of in [None, Some(merchant)] {
        assert_eq!(store.end_orphaned_deliveries(of).await.unwrap(), 0);
    }
    let audit = build.audit(AuditAction::EndpointSet);
    let written = store.set_endpoint(&fixture.endpoint, &audit).await.unwrap();
    assert_eq!(written, EndpointWrite::Written);
}

/// Notifications, operator queries, and the clean-up.
async fn inbox_and_clean_up(fixture: &Fixture) {
    let (store, build) = (&fixture.store, &fixture.build);
    let (late, long) = (build.now().plus_seconds(9999), Duration::from_secs(15));
    let inbox = fixture
        .at(late)
        .claim_notifications(&ClaimFilter::up_to(10), long)
        .await
        .unwrap();
    let outcome = build.notification_outcome(inbox[0].lease, NotificationStatus::Mismatched);
    store.close(&outcome).await.unwrap();
    store.depths(late).await.unwrap();
    let stuck = store.stuck(late, 10).await.unwrap();
    assert!(
        stuck
            .iter()
            .any(|item| item.kind == StuckKind::Notification)
    );
    let audit = build.audit(AuditAction::NotificationDismissed);
    let id = fixture.notification.id;
    assert!(store.dismiss(id, &audit).await.unwrap());
    let first = store.operations(build.now(), None, 1).await.unwrap();
    let after = Position {
        created_at: first[0].created_at,
        id: first[0].id.uuid(),
    };
    store.operations(build.now(), Some(after), 9).await.unwrap();
    let mut deleted = 0;
    for rows in ExpiringRows::ALL {
        let range = TimeRange::before(late);
        deleted += store.delete_expired(rows, range, 100).await.unwrap().count;
    }
    assert!(
        deleted >= 2,
        "fewer than a notification and a key: {deleted}"
    );
}

/// Every operator search, a session history and the counts.
async fn run_operator_queries(fixture: &Fixture) {
    let (store, now) = (&fixture.store, fixture.build.now());
    let named = [
        None,
        Some(SessionIdentifier::Session(fixture.session.id)),
        Some(SessionIdentifier::Text("order-42".to_owned())),
    ];
    let after = Some(Position {
        created_at: now,
        id: fixture.session.id.uuid(),
    });
    for (named, after) in named
        .iter()
        .flat_map(|named| [(named, None), (named, after)])
    {
        for merchant in [None, Some(fixture.merchant.id)] {
            let statuses = StatusName::ALL.iter().copied().map(Some);
            for status in statuses.chain([None]) {
                for at in [None, Some(now)] {
                    let search = SessionSearch {
                        identifier: named.clone(),
                        merchant,
                        status,
                        created_after: at,
                        created_before: at,
                        now,
                    };
                    let page = Page { after, limit: 20 };
                    store.find_sessions(&search, page).await.unwrap();
                }
            }
        }
    }
    store
        .session_history(fixture.session.id)
        .await
        .unwrap()
        .unwrap();
    store.count_sessions(now, now, 10).await.unwrap();
}
