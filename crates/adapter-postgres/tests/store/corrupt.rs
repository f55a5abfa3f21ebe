//! Errors of unreadable rows contain their table, column and id, and no value.

use oncharge_domain::audit::AuditAction;
use oncharge_ports::{
    BlocklistRepository, CheckoutRepository, MerchantRepository, OperatorQueries, StoreError,
    WebhookRepository, WorkQueue,
    queries::{EventFilter, Page, RefundFilter, SessionFilter},
    work_queue::ClaimFilter,
};

use crate::fixture::{Fixture, LEASE};

const PAGE: Page = Page {
    after: None,
    limit: 20,
};

/// A point in time that PostgreSQL stores and no timestamp of ours holds.
const NO_TIME: &str = "'infinity'";

/// Drops the check constraints of a table, which refuse the damage.
async fn drop_checks(fixture: &Fixture, table: &str) {
    let statement = format!(
        "DO $$ DECLARE name text; BEGIN FOR name IN SELECT conname FROM pg_constraint \
         WHERE contype = 'c' AND conrelid = '{table}'::regclass \
         LOOP EXECUTE format('ALTER TABLE {table} DROP CONSTRAINT %I', name); END LOOP; END $$"
    );
    let client = fixture.database.client().await;
    client.batch_execute(&statement).await.unwrap();
}

/// Asserts that a read names this table, column and row.
fn assert_corrupt<T>(read: Result<T, StoreError>, table: &str, column: &str, row: &str) {
    let place = format!("{table}.{column} of {row}");
    match read.map(|_| ()) {
        Err(StoreError::Corrupt {
            table: named_table,
            column: named_column,
            row: named_row,
        }) => {
            let named = format!("{named_table}.{named_column} of {named_row}");
            assert_eq!(named, place);
        }
        other => panic!("{place}: {other:?}"),
    }
}

/// Runs a statement, which must change a row.
async fn tamper(fixture: &Fixture, statement: &str) {
    let client = fixture.database.client().await;
    let touched = client.execute(statement, &[]).await.unwrap();
    assert!(touched > 0, "{statement}");
}

fn place(error: &StoreError) -> (&str, &str) {
    match error {
        StoreError::Corrupt { table, column, .. } => (table, column),
        other => panic!("not corrupt: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_with_invalid_columns_is_corrupt() {
    for (change, column) in [
        ("currency = 'XXX'", "currency"),
        ("return_url = 'nonsense'", "return_url"),
        ("metadata = '{\"a\": 1}'", "metadata"),
        ("attempts = '[{\"status\": \"paid\"}]'", "attempts"),
        ("connector = 'UPPER'", "account"),
        ("status = 'refused'", "failure"),
    ] {
        let fixture = Fixture::open(1).await;
        let session = fixture.created_session().await;
        let statement = format!("UPDATE sessions SET due_at = NULL, {change}");
        tamper(&fixture, &statement).await;
        let error = fixture.store.session(session.id).await.unwrap_err();
        assert_eq!(place(&error), ("sessions", column), "{change}");
        assert!(
            error.to_string().contains(&session.id.to_string()),
            "{error}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_with_an_unreadable_column_is_corrupt() {
    for (column, value) in [
        ("created_at", NO_TIME),
        ("expires_at", NO_TIME),
        ("updated_at", "'20000-01-01'"),
        ("status", "'none'"),
        ("amount", "-1"),
    ] {
        let fixture = Fixture::open(1).await;
        let session = fixture.created_session().await;
        drop_checks(&fixture, "sessions").await;
        tamper(&fixture, &format!("UPDATE sessions SET {column} = {value}")).await;
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
        let found = fixture.store.sessions(&filter, PAGE).await;
        assert_corrupt(found, "sessions", column, &session.id.to_string());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_refund_or_event_with_an_unreadable_column_is_corrupt() {
    for (table, column, value) in [
        ("operations", "not_before", NO_TIME),
        ("operations", "next_try_at", NO_TIME),
        ("operations", "kind", "'none'"),
        ("refunds", "updated_at", NO_TIME),
        ("refunds", "amount", "-1"),
        ("events", "created_at", NO_TIME),
        ("events", "retry_until", NO_TIME),
        ("events", "captured", "-1"),
        ("events", "status", "'none'"),
    ] {
        let fixture = Fixture::open(1).await;
        let session = fixture.captured_session().await;
        let unit = fixture.refund_unit(&session, "key-1");
        let (refund, operation) = (unit.refund.clone().unwrap(), unit.operations[0].clone());
        let event = unit.events[0].id;
        fixture.store.commit(unit).await.unwrap();
        drop_checks(&fixture, table).await;
        tamper(&fixture, &format!("UPDATE {table} SET {column} = {value}")).await;
        match table {
            "operations" => {
                let history = fixture.store.session_history(session.id).await;
                let row = operation.operation.id.to_string();
                assert_corrupt(history, table, column, &row);
            }
            "refunds" => {
                let filter = RefundFilter {
                    merchant: fixture.merchant.id,
                    session: None,
                };
                let found = fixture.store.refunds(&filter, PAGE).await;
                assert_corrupt(found, table, column, &refund.id.to_string());
            }
            _ => {
                let filter = EventFilter {
                    merchant: fixture.merchant.id,
                    session: None,
                    kind: None,
                };
                let found = fixture.store.events(&filter, PAGE).await;
                assert_corrupt(found, table, column, &event.to_string());
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merchant_key_endpoint_or_ban_with_an_unreadable_time_is_corrupt() {
    let fixture = Fixture::open(1).await;
    let (store, build) = (&fixture.store, &fixture.build);
    fixture.set_endpoint().await;
    let ban = build.ban([5; 32]);
    let audit = build.audit(AuditAction::BanAdded);
    assert!(store.add(&ban, &build.pepper(), &audit).await.unwrap());
    let (merchant, key) = (fixture.merchant.id.to_string(), fixture.key.id.to_string());
    for (table, column) in [
        ("bans", "revoked_at"),
        ("webhook_endpoints", "failing_since"),
        ("api_keys", "last_used_at"),
        ("merchants", "created_at"),
    ] {
        drop_checks(&fixture, table).await;
        tamper(
            &fixture,
            &format!("UPDATE {table} SET {column} = {NO_TIME}"),
        )
        .await;
        match table {
            "bans" => {
                let read = BlocklistRepository::list(store).await;
                assert_corrupt(read, table, column, &ban.id.to_string());
            }
            "webhook_endpoints" => {
                let read = store.endpoint(fixture.merchant.id).await;
                assert_corrupt(read, table, column, &merchant);
            }
            "api_keys" => {
                let read = store.keys(fixture.merchant.id, build.now()).await;
                assert_corrupt(read, table, column, &key);
            }
            _ => {
                let read = MerchantRepository::list(store, None, 9).await;
                assert_corrupt(read, table, column, &merchant);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_due_session_with_an_unreadable_time_is_corrupt() {
    let fixture = Fixture::open(1).await;
    let session = fixture.created_session().await;
    let store = fixture.at(fixture.build.now()).await;
    drop_checks(&fixture, "sessions").await;
    tamper(&fixture, "UPDATE sessions SET due_at = '-infinity'").await;
    let claimed = store.claim_sessions(&ClaimFilter::up_to(9), LEASE).await;
    assert_corrupt(claimed, "sessions", "due_at", &session.id.to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invalid_logo_is_corrupt() {
    let fixture = Fixture::open(1).await;
    tamper(&fixture, "UPDATE merchants SET logo = 'no image'").await;
    let error = fixture
        .store
        .merchant(fixture.merchant.id)
        .await
        .unwrap_err();
    assert_eq!(place(&error), ("merchants", "logo"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sealed_value_moved_to_another_row_or_column_does_not_open() {
    let fixture = Fixture::open(1).await;
    let (from, to) = (
        fixture.created_session().await,
        fixture.created_session().await,
    );
    let moved = format!(
        "UPDATE contacts SET email = other.email FROM contacts AS other \
         WHERE contacts.session_id = '{}' AND other.session_id = '{}'",
        to.id.uuid(),
        from.id.uuid()
    );
    tamper(&fixture, &moved).await;
    let error = fixture.store.session(to.id).await.unwrap_err();
    assert_eq!(place(&error), ("contacts", "email"));
    let swapped = format!(
        "UPDATE contacts SET phone = email WHERE session_id = '{}'",
        from.id.uuid()
    );
    tamper(&fixture, &swapped).await;
    let error = fixture.store.session(from.id).await.unwrap_err();
    assert_eq!(place(&error), ("contacts", "phone"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_altered_signing_key_does_not_open() {
    let fixture = Fixture::open(1).await;
    let altered = "UPDATE api_keys SET signing_key = set_byte(signing_key, 20, \
         255 - get_byte(signing_key, 20))";
    tamper(&fixture, altered).await;
    let error = MerchantRepository::key(&fixture.store, &fixture.key_hash)
        .await
        .unwrap_err();
    assert_eq!(place(&error), ("api_keys", "signing_key"));
}
