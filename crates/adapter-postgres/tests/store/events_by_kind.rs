//! Events of one kind are read by an index, however many of other kinds the merchant has.

use oncharge_domain::session::EventKind;
use oncharge_ports::{
    CheckoutRepository,
    queries::{EventFilter, Page},
};

use crate::{
    plans::{Reading, until_alone},
    shop::Shop,
};

/// Many newer events of the merchant's, of the kind that is most frequent.
const FILL: &str = "
    INSERT INTO events SELECT (jsonb_populate_record(events, jsonb_build_object(
        'id', gen_random_uuid(), 'sequence', n + 100, 'kind', 'payment.captured',
        'created_at', created_at + n * interval '1 second'))).*
        FROM events, generate_series(1, 5000) AS n;
    VACUUM ANALYZE events;";

#[tokio::test(flavor = "multi_thread")]
async fn a_rare_kind_is_found_without_reading_the_frequent_ones() {
    let shop = Shop::open(1).await;
    let captured = shop.captured().await;
    let refunding = shop.refunding(&captured, "k");
    shop.store.commit(refunding.clone()).await.unwrap();
    let client = shop.database.client().await;
    for statement in FILL.split(';').filter(|text| !text.trim().is_empty()) {
        client.batch_execute(statement).await.unwrap();
    }
    let before = Reading::of(&client).await;
    let filter = EventFilter {
        merchant: shop.merchant.id,
        session: None,
        kind: Some(EventKind::RefundRequested),
    };
    let page = Page {
        after: None,
        limit: 20,
    };
    let found = shop.store.events(&filter, page).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].id, refunding.events[0].id);
    let Shop {
        store, database, ..
    } = shop;
    drop(store);
    until_alone(&client).await;
    let after = Reading::of(&client).await;
    let rows = |reading: &Reading| {
        let events = reading.0.iter().find(|found| found.table == "events");
        events.unwrap().rows
    };
    assert!(
        rows(&after) - rows(&before) < 10,
        "rows of events were read"
    );
    drop(database);
}
