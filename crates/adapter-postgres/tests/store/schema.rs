//! The schema enforces the invariants, and uses the same names as the SQLite schema.

use std::collections::BTreeSet;

use oncharge_domain::session::EventKind;
use oncharge_ports::{
    CheckoutRepository, CommitError, Inbox, WebhookRepository, unit_of_work::ChangedOperation,
};

use crate::fixture::Fixture;

const POSTGRES: &str = include_str!("../../../../migrations/postgres/0001_initial/up.sql");
const SQLITE: &str = include_str!("../../../../migrations/sqlite/0001_initial/up.sql");

#[test]
fn both_databases_have_the_same_tables_columns_constraints_and_indexes() {
    let (ours, theirs) = (names(POSTGRES), names(SQLITE));
    assert!(ours.len() > 200, "{}", ours.len());
    let difference: Vec<_> = ours.symmetric_difference(&theirs).collect();
    assert_eq!(difference, Vec::<&String>::new());
}

/// Tables whose rows belong to no merchant: merchants themselves, shared data, and the
/// notifications of a PSP account.
const WITHOUT_MERCHANT: [&str; 5] = [
    "merchants",
    "bans",
    "keys_in_use",
    "nodes",
    "psp_notifications",
];

#[test]
fn tables_of_merchant_data_have_a_merchant_id() {
    let names = names(POSTGRES);
    let columns = names.iter().filter_map(|name| name.split_once('.'));
    let tables: BTreeSet<&str> = columns.map(|(table, _)| table).collect();
    assert!(tables.len() > 10, "{tables:?}");
    let without = tables
        .into_iter()
        .filter(|table| !names.contains(&format!("{table}.merchant_id")))
        .filter(|table| !WITHOUT_MERCHANT.contains(table));
    assert_eq!(without.collect::<Vec<_>>(), Vec::<&str>::new());
}

/// All named objects: `table.column`, constraints and indexes.
fn names(sql: &str) -> BTreeSet<String> {
    let (mut names, mut table) = (BTreeSet::new(), String::new());
    for line in sql.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["CREATE", "TABLE", name, ..] => (*name).clone_into(&mut table),
            ["CREATE", "UNIQUE", "INDEX", name, ..] | ["CREATE", "INDEX", name, ..] => {
                names.insert((*name).to_owned());
            }
            ["ALTER", "TABLE", table, "ADD", "COLUMN", name, ..] => {
                names.insert(format!("{table}.{name}"));
            }
            ["CONSTRAINT", name, ..] => {
                names.insert(format!("{table} {name}"));
            }
            [");" | ")", ..] => table.clear(),
            // Only the line of a column is indented by four spaces and contains a type.
            [name, kind, ..] if line.starts_with("    ") && !line.starts_with("     ") => {
                let is_column = !table.is_empty()
                    && kind
                        .trim_end_matches(',')
                        .chars()
                        .all(|c| c.is_ascii_alphabetic())
                    && name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
                if is_column {
                    names.insert(format!("{table}.{name}"));
                }
            }
            _ => {}
        }
    }
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_log_is_append_only() {
    let fixture = Fixture::open(1).await;
    let client = fixture.database.client().await;
    for statement in [
        "UPDATE audit_log SET detail = 'nothing happened'",
        "DELETE FROM audit_log",
        "TRUNCATE audit_log",
    ] {
        let error = client.execute(statement, &[]).await.unwrap_err();
        let text = error.as_db_error().unwrap().message().to_owned();
        assert_eq!(text, "audit_log is append-only", "{statement}");
    }
    let count = client
        .query_one("SELECT count(*) FROM audit_log", &[])
        .await;
    assert_eq!(count.unwrap().get::<_, i64>(0), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unit_that_violates_a_constraint_is_a_conflict_and_writes_nothing() {
    let fixture = Fixture::open(2).await;
    let (session, attempt) = fixture.paying_session().await;
    let mut second = fixture.build.next_unit(&session);
    let another = fixture.build.attempt(&session, "tok_2");
    second.operations = vec![fixture.build.intent(another)];
    let mut same_token = fixture.build.next_unit(&session);
    let again = fixture.build.attempt(&session, "tok_1");
    same_token.operations = vec![fixture.build.intent(again)];
    let mut ended = attempt.clone();
    ended.status = oncharge_domain::operation::OperationStatus::Failed;
    ended.failure = Some(oncharge_domain::psp::RefusalReason::CardDeclined);
    same_token.changed_operations = vec![ChangedOperation {
        operation: ended,
        next_try_at: None,
    }];
    let mut twice = fixture.build.next_unit(&session);
    let event = || fixture.build.event(&session, 1, EventKind::PaymentError);
    twice.events = vec![event(), event()];
    let mut stale = fixture.refund_unit(&session, "k");
    stale.session.version = session.version;
    let before = fixture.row_counts().await;
    for (unit, what) in [
        (second, "two operations in flight"),
        (same_token, "a token used twice"),
        (twice, "an event number used twice"),
        (stale, "a stale version, with inserts"),
    ] {
        let outcome = fixture.store.commit(unit).await;
        assert!(
            matches!(outcome, Err(CommitError::Conflict)),
            "{what}: {outcome:?}"
        );
        assert_eq!(fixture.row_counts().await, before, "{what}");
        let saved = fixture.store.session(session.id).await.unwrap();
        assert_eq!(saved.as_ref(), Some(&session), "{what}");
        assert_eq!(
            fixture.store.operation(attempt.id).await.unwrap().as_ref(),
            Some(&attempt)
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn impossible_amounts_violate_constraints() {
    let fixture = Fixture::open(1).await;
    let session = fixture.captured_session().await;
    fixture
        .store
        .commit(fixture.refund_unit(&session, "k"))
        .await
        .unwrap();
    let client = fixture.database.client().await;
    for (statement, constraint) in [
        (
            "UPDATE sessions SET refunds_requested = amount_captured + 1",
            "sessions_refunds_within_capture",
        ),
        (
            "UPDATE sessions SET status = 'cancelled'",
            "sessions_captured_only_when_captured",
        ),
        ("UPDATE sessions SET amount = 0", "sessions_amount_check"),
        (
            "UPDATE operations SET request = NULL",
            "operations_open_has_request",
        ),
        (
            "UPDATE operations SET status = 'succeeded'",
            "operations_open_has_request",
        ),
        (
            "UPDATE operations SET contradiction = 'listed' WHERE status <> 'failed'",
            "operations_contradicted_has_failed",
        ),
        (
            "UPDATE events SET failure_reason = 'x'",
            "events_reason_of_a_failure",
        ),
        ("UPDATE refunds SET amount = -1", "refunds_amount_check"),
        (
            "UPDATE refunds SET status = 'refund_failed'",
            "refunds_failed_says_why",
        ),
        ("DELETE FROM operations", "refunds_operation_id_fkey"),
    ] {
        let error = client.execute(statement, &[]).await.unwrap_err();
        let error = error.as_db_error().unwrap();
        assert_eq!(
            error.constraint(),
            Some(constraint),
            "{statement}: {error:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_branding_violates_constraints() {
    let fixture = Fixture::open(1).await;
    let client = fixture.database.client().await;
    for (statement, constraint) in [
        ("accent = '#C2185B'", "merchants_accent_check"),
        ("accent = '#c28'", "merchants_accent_check"),
        ("accent_dark = '#ff80ab;'", "merchants_accent_dark_check"),
        ("accent_dark = ''", "merchants_accent_dark_check"),
        ("logo = ''", "merchants_logo_check"),
        (
            "logo = decode(repeat('00', 8193), 'hex')",
            "merchants_logo_check",
        ),
    ] {
        let statement = format!("UPDATE merchants SET {statement}");
        let error = client.execute(&statement, &[]).await.unwrap_err();
        let error = error.as_db_error().unwrap();
        assert_eq!(error.constraint(), Some(constraint), "{statement}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn finished_deliveries_and_notifications_cannot_be_due() {
    let fixture = Fixture::open(1).await;
    fixture.set_endpoint().await;
    let event = fixture.committed_event().await;
    let (lease, delivery) = fixture.claim_delivery(event).await;
    let attempt_record = fixture
        .build
        .attempt_record(lease, &delivery, Ok(500), None);
    fixture.store.record(&attempt_record).await.unwrap();
    let notification = fixture.build.notification("evt-1");
    fixture.store.receive(&notification).await.unwrap();
    let client = fixture.database.client().await;
    for (statement, constraint) in [
        ("UPDATE deliveries SET state = 'dead'", "deliveries_ended"),
        (
            "UPDATE deliveries SET state = 'dead', ended_at = now()",
            "deliveries_pending",
        ),
        (
            "UPDATE deliveries SET next_try_at = NULL",
            "deliveries_pending",
        ),
        (
            "UPDATE deliveries SET leased_until = now()",
            "deliveries_lease",
        ),
        (
            "UPDATE deliveries SET failures = 11",
            "deliveries_failures_check",
        ),
        ("UPDATE deliveries SET round = -1", "deliveries_round_check"),
        (
            "UPDATE delivery_attempts SET status = NULL",
            "delivery_attempts_response",
        ),
        (
            "UPDATE psp_notifications SET status = 'handled'",
            "psp_notifications_waiting",
        ),
        (
            "UPDATE psp_notifications SET event_key = NULL",
            "psp_notifications_verified",
        ),
        (
            "UPDATE webhook_endpoints SET disabled = 'bored', disabled_at = now()",
            "webhook_endpoints_disabled_check",
        ),
        (
            "UPDATE webhook_endpoints SET disabled = 'gone'",
            "webhook_endpoints_disabled",
        ),
        (
            "UPDATE webhook_endpoints SET previous_secret = 'x'",
            "webhook_endpoints_previous_secret",
        ),
    ] {
        let error = client.execute(statement, &[]).await.unwrap_err();
        let error = error.as_db_error().unwrap();
        assert_eq!(error.constraint(), Some(constraint), "{statement}");
    }
}
