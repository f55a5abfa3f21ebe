//! A filtered list reads its rows by an index, however many other rows the merchant has.

use oncharge_domain::session::{EventKind, StatusName};
use oncharge_ports::{
    CheckoutRepository,
    queries::{EventFilter, Page, SessionFilter},
};

use crate::{
    fixture::Fixture,
    query_plans::{TableReads, wait_until_alone},
};

const PAGE: Page = Page {
    after: None,
    limit: 20,
};

/// Creates many newer events of the merchant, of the most frequent kind.
const EVENTS: &str = "
    INSERT INTO events SELECT (jsonb_populate_record(events, jsonb_build_object(
        'id', gen_random_uuid(), 'sequence', n + 100, 'kind', 'payment.captured',
        'created_at', created_at + n * interval '1 second'))).*
        FROM events, generate_series(1, 5000) AS n;
    VACUUM ANALYZE events;";

/// Creates many newer refused sessions of the merchant.
const SESSIONS: &str = "
    INSERT INTO sessions SELECT (jsonb_populate_record(sessions, jsonb_build_object(
        'id', gen_random_uuid(), 'status', 'refused', 'failure', 'card_declined', 'due_at', NULL,
        'created_at', created_at + n * interval '1 second'))).*
        FROM sessions, generate_series(1, 5000) AS n;
    VACUUM ANALYZE sessions;";

async fn fill(fixture: &Fixture, statements: &str) -> TableReads {
    let client = fixture.database.client().await;
    for statement in statements.split(';').filter(|text| !text.trim().is_empty()) {
        client.batch_execute(statement).await.unwrap();
    }
    TableReads::of(&client).await
}

/// The number of rows read from a table since then.
async fn rows_read(fixture: Fixture, table: &str, before: &TableReads) -> i64 {
    let client = fixture.database.client().await;
    let Fixture {
        store, database, ..
    } = fixture;
    drop(store);
    wait_until_alone(&client).await;
    let after = TableReads::of(&client).await;
    let rows = |reading: &TableReads| {
        let of_table = reading.0.iter().find(|found| found.table == table);
        of_table.unwrap().rows
    };
    drop(database);
    rows(&after) - rows(before)
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_a_rare_kind_are_found_without_reading_the_frequent_ones() {
    let fixture = Fixture::open(1).await;
    let captured = fixture.captured_session().await;
    let refunding = fixture.refund_unit(&captured, "k");
    fixture.store.commit(refunding.clone()).await.unwrap();
    let before = fill(&fixture, EVENTS).await;
    let filter = EventFilter {
        merchant: fixture.merchant.id,
        session: None,
        kind: Some(EventKind::RefundRequested),
    };
    let found = fixture.store.events(&filter, PAGE).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].id, refunding.events[0].id);
    assert!(rows_read(fixture, "events", &before).await < 10);
}

/// Expired sessions include those past their expiry that are not yet swept.
#[tokio::test(flavor = "multi_thread")]
async fn expired_sessions_are_found_without_reading_the_finished_ones() {
    let fixture = Fixture::open(1).await;
    let overdue = fixture.build.session(&fixture.merchant);
    let unit = fixture.build.unit(overdue.clone());
    fixture.store.commit(unit).await.unwrap();
    let before = fill(&fixture, SESSIONS).await;
    let filter = SessionFilter {
        merchant: fixture.merchant.id,
        status: Some(StatusName::Expired),
        reference: None,
        order_id: None,
        psp_reference: None,
        created_after: None,
        created_before: None,
        now: overdue.expires_at,
    };
    let found = fixture.store.sessions(&filter, PAGE).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].id, overdue.id);
    assert!(rows_read(fixture, "sessions", &before).await < 10);
}
