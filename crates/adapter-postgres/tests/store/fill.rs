//! The script that fills a database for measurements matches the schema.

use std::process::Command;

use oncharge_domain::session::StatusName;
use oncharge_ports::{
    MerchantRepository, OperatorQueries, operator_queries::SessionSearch, queries::Page,
};

use crate::fixture::Fixture;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/fill");

#[tokio::test(flavor = "multi_thread")]
async fn filled_payments_can_be_read() {
    let fixture = Fixture::open(1).await;
    let url = fixture.database.url.as_str();
    let output = Command::new(SCRIPT).args([url, "30"]).output();
    let output = output.expect("psql is needed");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    let merchants = fixture.store.list(None, 10).await.unwrap();
    let named = |name: &str| merchants.iter().find(|found| found.name.as_str() == name);
    let merchant = named("Synthetic").expect("the script's merchant");
    let search = SessionSearch {
        merchant: Some(merchant.id),
        status: Some(StatusName::Captured),
        identifier: None,
        created_after: None,
        created_before: None,
        now: fixture.build.now(),
    };
    let page = Page {
        after: None,
        limit: 50,
    };
    let found = fixture.store.find_sessions(&search, page).await.unwrap();
    assert_eq!(found.len(), 30);
    let history = fixture.store.session_history(found[0].session.id).await;
    let history = history.unwrap().expect("the session");
    assert_eq!((history.operations.len(), history.events.len()), (2, 2));
}
