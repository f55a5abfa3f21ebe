//! Errors of unreadable rows contain their table, column and id, and no value.

use std::time::Duration;

use diesel::connection::SimpleConnection;
use oncharge_ports::{
    BlocklistRepository, CheckoutRepository, Inbox, MerchantRepository, OperatorQueries,
    StoreError, WebhookRepository, WorkQueue,
    queries::{EventFilter, Page, RefundFilter, SessionFilter},
    work_queue::{ClaimFilter, DeliveryClaimFilter},
};

use crate::fixture::Fixture;

const PAGE: Page = Page {
    after: None,
    limit: 20,
};

/// Microseconds since 1970 that no timestamp holds.
const NO_TIME: &str = "9223372036854775807";

/// A damaged column of the fixture's rows of a table, and the id of the row that the error names.
struct Damage {
    table: &'static str,
    column: &'static str,
    value: &'static str,
    row: String,
}

impl Damage {
    fn new(table: &'static str, column: &'static str, value: &'static str, row: String) -> Self {
        Self {
            table,
            column,
            value,
            row,
        }
    }
}

/// Damages every row of the table, with its constraints disabled.
fn damage(fixture: &Fixture, damage: &Damage) {
    let Damage {
        table,
        column,
        value,
        ..
    } = damage;
    let statement = format!(
        "PRAGMA ignore_check_constraints = ON; PRAGMA foreign_keys = OFF; \
         UPDATE {table} SET {column} = {value}"
    );
    fixture.raw().batch_execute(&statement).unwrap();
}

fn assert_corrupt<T>(read: Result<T, StoreError>, damage: &Damage) {
    let place = format!("{}.{} = {}", damage.table, damage.column, damage.value);
    match read.map(|_| ()) {
        Err(StoreError::Corrupt { table, column, row }) => {
            assert_eq!((table, column), (damage.table, damage.column), "{place}");
            assert_eq!(row, damage.row, "{place}");
        }
        other => panic!("{place}: {other:?}"),
    }
}

#[tokio::test]
async fn a_corrupt_row_is_reported_with_table_column_and_id() {
    let fixture = Fixture::new().await;
    let id = fixture.session.id.uuid().simple().to_string();
    for (change, expected) in [
        (
            "UPDATE sessions SET currency = 'XXX'",
            ("sessions", "currency"),
        ),
        (
            "UPDATE sessions SET currency = 'EUR', progress = '{}', status = 'pending', \
          attempt_id = zeroblob(16)",
            ("sessions", "step"),
        ),
        (
            "UPDATE sessions SET status = 'created', attempt_id = NULL; \
          UPDATE contacts SET phone = email",
            ("contacts", "phone"),
        ),
    ] {
        fixture.raw().batch_execute(change).unwrap();
        match fixture.store.session(fixture.session.id).await {
            Err(StoreError::Corrupt { table, column, row }) => {
                assert_eq!((table, column), expected, "{change}");
                assert!(row.ends_with(&id), "{change}: {row}");
            }
            other => panic!("{change}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn an_unreadable_session_is_corrupt() {
    for (column, value) in [
        ("id", "x'0102'"),
        ("created_at", NO_TIME),
        ("expires_at", NO_TIME),
        ("updated_at", NO_TIME),
        ("attempt_id", "x'01'"),
        ("status", "'none'"),
        ("amount", "-1"),
    ] {
        let fixture = Fixture::new().await;
        let row = match column {
            "id" => "0102".to_owned(),
            _ => fixture.session.id.to_string(),
        };
        let damaged = Damage::new("sessions", column, value, row);
        damage(&fixture, &damaged);
        let filter = SessionFilter {
            merchant: fixture.merchant.id,
            status: None,
            reference: None,
            order_id: None,
            psp_reference: None,
            created_after: None,
            created_before: None,
            now: fixture.build.now(),
        };
        assert_corrupt(fixture.store.sessions(&filter, PAGE).await, &damaged);
    }
}

#[tokio::test]
async fn an_unreadable_operation_refund_or_event_is_corrupt() {
    let fixture = Fixture::new().await;
    let (refund, operation) = (fixture.refund.0.id, fixture.refund.1.id);
    for (column, value, row) in [
        ("id", "x'0102'", "0102".to_owned()),
        ("operation_id", "x'01'", refund.to_string()),
        ("created_at", NO_TIME, refund.to_string()),
        ("updated_at", NO_TIME, refund.to_string()),
        ("status", "'none'", refund.to_string()),
        ("amount", "-1", refund.to_string()),
    ] {
        let fixture = Fixture::new().await;
        let damaged = Damage::new("refunds", column, value, row);
        damage(&fixture, &damaged);
        let filter = RefundFilter {
            merchant: fixture.merchant.id,
            session: None,
        };
        assert_corrupt(fixture.store.refunds(&filter, PAGE).await, &damaged);
    }
    for (column, value) in [
        ("session_id", "x'01'"),
        ("refund_id", "x'01'"),
        ("last_sent_at", NO_TIME),
        ("not_before", NO_TIME),
        ("status", "'none'"),
        ("amount", "-1"),
    ] {
        let fixture = Fixture::new().await;
        let damaged = Damage::new("operations", column, value, operation.to_string());
        damage(&fixture, &damaged);
        assert_corrupt(fixture.store.operation(operation).await, &damaged);
    }
    let event = fixture.event.id;
    for (column, value, row) in [
        ("id", "x'0102'", "0102".to_owned()),
        ("refund_id", "x'01'", event.to_string()),
        ("retry_until", NO_TIME, event.to_string()),
        ("created_at", NO_TIME, event.to_string()),
        ("kind", "'none'", event.to_string()),
        ("authorized", "-1", event.to_string()),
    ] {
        let fixture = Fixture::new().await;
        let damaged = Damage::new("events", column, value, row);
        damage(&fixture, &damaged);
        let filter = EventFilter {
            merchant: fixture.merchant.id,
            session: None,
            kind: None,
        };
        assert_corrupt(fixture.store.events(&filter, PAGE).await, &damaged);
    }
}

#[tokio::test]
async fn an_unreadable_merchant_key_endpoint_ban_or_notification_is_corrupt() {
    for (table, column, value) in [
        ("merchants", "id", "x'0102'"),
        ("merchants", "created_at", NO_TIME),
        ("merchants", "disabled_at", NO_TIME),
        ("api_keys", "id", "x'0102'"),
        ("api_keys", "created_at", NO_TIME),
        ("api_keys", "last_used_at", NO_TIME),
        ("webhook_endpoints", "id", "x'01'"),
        ("webhook_endpoints", "key_id", "x'01'"),
        ("webhook_endpoints", "created_at", NO_TIME),
        ("webhook_endpoints", "failing_since", NO_TIME),
        ("bans", "id", "x'0102'"),
        ("bans", "expires_at", NO_TIME),
        ("bans", "revoked_at", NO_TIME),
        ("psp_notifications", "received_at", NO_TIME),
        ("psp_notifications", "status", "'none'"),
        ("deliveries", "session_id", "x'01'"),
        ("deliveries", "state", "'none'"),
    ] {
        let fixture = Fixture::new().await;
        let (store, merchant) = (&fixture.store, fixture.merchant.id);
        let row = match (table, value) {
            (_, "x'0102'") => "0102".to_owned(),
            ("merchants" | "webhook_endpoints", _) => merchant.to_string(),
            ("api_keys", _) => fixture.api_key.0.id.to_string(),
            ("bans", _) => fixture.ban.id.to_string(),
            ("deliveries", _) => fixture.event.id.to_string(),
            _ => fixture.notification.id.to_string(),
        };
        let damaged = Damage::new(table, column, value, row);
        damage(&fixture, &damaged);
        match table {
            "merchants" => assert_corrupt(MerchantRepository::list(store, None, 9).await, &damaged),
            "api_keys" => {
                let now = fixture.build.now();
                assert_corrupt(store.keys(merchant, now).await, &damaged);
            }
            "webhook_endpoints" => assert_corrupt(store.endpoint(merchant).await, &damaged),
            "bans" => assert_corrupt(BlocklistRepository::list(store).await, &damaged),
            "deliveries" => assert_corrupt(store.outgoing(&[fixture.event.id]).await, &damaged),
            _ => assert_corrupt(store.notification(fixture.notification.id).await, &damaged),
        }
    }
}

#[tokio::test]
async fn an_unreadable_row_of_a_session_history_or_idempotency_record_is_corrupt() {
    let fixture = Fixture::new().await;
    let operation = fixture.attempt.id;
    let damaged = Damage::new("operations", "next_try_at", NO_TIME, operation.to_string());
    damage(&fixture, &damaged);
    let history = fixture.store.session_history(fixture.session.id).await;
    assert_corrupt(history, &damaged);
    let fixture = Fixture::new().await;
    let damaged = Damage::new(
        "deliveries",
        "next_try_at",
        NO_TIME,
        fixture.event.id.to_string(),
    );
    damage(&fixture, &damaged);
    let history = fixture.store.session_history(fixture.session.id).await;
    assert_corrupt(history, &damaged);
    let scope = &fixture.answered;
    let row = format!("{} {}", scope.merchant, scope.key.as_str());
    let damaged = Damage::new("idempotency_keys", "responded_at", NO_TIME, row);
    damage(&fixture, &damaged);
    let record = CheckoutRepository::key(&fixture.store, scope).await;
    assert_corrupt(record, &damaged);
}

#[tokio::test]
async fn an_unreadable_due_item_is_corrupt() {
    let lease = Duration::from_secs(15);
    let fixture = Fixture::new().await;
    // Before every time that a timestamp holds, so that it is due.
    let (value, row) = ("-9223372036854775808", fixture.session.id.to_string());
    let damaged = Damage::new("sessions", "due_at", value, row);
    damage(&fixture, &damaged);
    let every = ClaimFilter::up_to(9);
    let claimed = fixture.store.claim_sessions(&every, lease).await;
    assert_corrupt(claimed, &damaged);
    for (column, value, row) in [
        ("event_id", "x'0102'", "0102".to_owned()),
        ("merchant_id", "x'01'", fixture.event.id.to_string()),
    ] {
        let fixture = Fixture::new().await;
        let damaged = Damage::new("deliveries", column, value, row);
        damage(&fixture, &damaged);
        let every = DeliveryClaimFilter {
            limit: 9,
            per_merchant: 9,
            busy: Vec::new(),
        };
        let store = fixture.at(fixture.build.now().plus_seconds(60));
        assert_corrupt(store.claim_deliveries(&every, lease).await, &damaged);
    }
}
