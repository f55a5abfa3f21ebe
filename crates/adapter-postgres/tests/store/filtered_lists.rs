//! A filtered list reads its rows by an index, however many others the merchant has.

use oncharge_domain::session::{EventKind, StatusName};
use oncharge_ports::{
    CheckoutRepository,
    queries::{EventFilter, Page, SessionFilter},
};

use crate::{
    plans::{Reading, until_alone},
    shop::Shop,
};

const PAGE: Page = Page {
    after: None,
    limit: 20,
};

/// Many newer events of the merchant's, of the kind that is most frequent.
const EVENTS: &str = "
    INSERT INTO events SELECT (jsonb_populate_record(events, jsonb_build_object(
        'id', gen_random_uuid(), 'sequence', n + 100, 'kind', 'payment.captured',
        'created_at', created_at + n * interval '1 second'))).*
        FROM events, generate_series(1, 5000) AS n;
    VACUUM ANALYZE events;";

/// Many newer sessions of the merchant's that were refused.
const SESSIONS: &str = "
    INSERT INTO sessions SELECT (jsonb_populate_record(sessions, jsonb_build_object(
        'id', gen_random_uuid(), 'status', 'refused', 'failure', 'card_declined', 'due_at', NULL,
        'created_at', created_at + n * interval '1 second'))).*
        FROM sessions, generate_series(1, 5000) AS n;
    VACUUM ANALYZE sessions;";

async fn fill(shop: &Shop, statements: &str) -> Reading {
    let client = shop.database.client().await;
    for statement in statements.split(';').filter(|text| !text.trim().is_empty()) {
        client.batch_execute(statement).await.unwrap();
    }
    Reading::of(&client).await
}

/// How many rows of a table were read since then.
async fn rows_read(shop: Shop, table: &str, before: &Reading) -> i64 {
    let client = shop.database.client().await;
    let Shop {
        store, database, ..
    } = shop;
    drop(store);
    until_alone(&client).await;
    let after = Reading::of(&client).await;
    let rows = |reading: &Reading| {
        let of_table = reading.0.iter().find(|found| found.table == table);
        of_table.unwrap().rows
    };
    drop(database);
    rows(&after) - rows(before)
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_a_rare_kind_are_found_without_reading_the_frequent_ones() {
    let shop = Shop::open(1).await;
    let captured = shop.captured().await;
    let refunding = shop.refunding(&captured, "k");
    shop.store.commit(refunding.clone()).await.unwrap();
    let before = fill(&shop, EVENTS).await;
    let filter = EventFilter {
        merchant: shop.merchant.id,
        session: None,
        kind: Some(EventKind::RefundRequested),
    };
    let found = shop.store.events(&filter, PAGE).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].id, refunding.events[0].id);
    assert!(rows_read(shop, "events", &before).await < 10);
}

/// Expired are those that were swept, and those whose time is over.
#[tokio::test(flavor = "multi_thread")]
async fn expired_sessions_are_found_without_reading_the_finished_ones() {
    let shop = Shop::open(1).await;
    let overdue = shop.build.session(&shop.merchant);
    let unit = shop.build.unit(overdue.clone());
    shop.store.commit(unit).await.unwrap();
    let before = fill(&shop, SESSIONS).await;
    let filter = SessionFilter {
        merchant: shop.merchant.id,
        status: Some(StatusName::Expired),
        reference: None,
        order_id: None,
        psp_reference: None,
        created_after: None,
        created_before: None,
        now: overdue.expires_at,
    };
    let found = shop.store.sessions(&filter, PAGE).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].id, overdue.id);
    assert!(rows_read(shop, "sessions", &before).await < 10);
}
