//! A full disk, simulated by a page limit that is reached in the middle of a unit.

use diesel::{
    Connection, QueryableByName, RunQueryDsl, SqliteConnection, connection::SimpleConnection,
    sql_query, sql_types::BigInt,
};
use oncharge_conformance::keys;
use oncharge_domain::{audit::AuditAction, merchant::Merchant, session::Session};
use oncharge_ports::{
    CheckoutRepository, Inbox, MerchantRepository, UnitOfWork, WebhookRepository,
    psp::PreparedRequest,
};
use oncharge_testkit::{Builder, FakeClock, SeededEntropy};

use super::*;

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    number: i64,
}

fn number(connection: &mut SqliteConnection, query: &str) -> i64 {
    let row: Number = sql_query(query).get_result(connection).unwrap();
    row.number
}

/// Limits the file's growth from now on to this number of pages.
async fn allow_growth(store: &SqliteStore, pages: i64) {
    let limited = store.write(Priority::Worker, move |connection| {
        let query = "SELECT page_count AS number FROM pragma_page_count()";
        let most = number(connection, query) + pages;
        let limit = format!("PRAGMA max_page_count = {most}");
        connection.batch_execute(&limit).unwrap();
        Ok(())
    });
    limited.await.unwrap();
}

/// A unit with a new session and an intent of this many bytes.
fn unit(build: &Builder, merchant: &Merchant, bytes: usize) -> UnitOfWork {
    let session = Session::create(build.new_session(merchant));
    let mut intent = build.intent(build.attempt(&session, "tok"));
    intent.request = PreparedRequest::new(vec![7; bytes]);
    let mut unit = build.unit(session);
    unit.operations = vec![intent];
    unit
}

async fn assert_not_stored(store: &SqliteStore, unit: &UnitOfWork) {
    assert!(!store.is_committed(unit).await.unwrap());
    assert_eq!(store.session(unit.session.id).await.unwrap(), None);
    let operation = unit.operations[0].operation.id;
    assert_eq!(store.operation(operation).await.unwrap(), None);
}

#[tokio::test]
async fn a_full_disk_fails_writes_until_there_is_space() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("oncharge.db");
    let entropy = Arc::new(SeededEntropy::new(1));
    let store = SqliteStore::open(&path, keys(), entropy, Arc::new(FakeClock::new())).unwrap();
    let build = Builder::new(7);
    let merchant = build.merchant();
    let (key, hash) = build.api_key(&merchant);
    let audit = build.audit(AuditAction::MerchantCreated);
    store.create(&merchant, &key, &hash, &audit).await.unwrap();

    allow_growth(&store, 8).await;
    let first = unit(&build, &merchant, 10_000);
    store.commit(first.clone()).await.unwrap();
    // The session's row fits and is written; the request does not fit.
    let refused = unit(&build, &merchant, 100_000);
    let mut notification = build.notification("big");
    notification.body = vec![7; 100_000];
    let mut other = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
    for _ in 0..3 {
        let full = store.commit(refused.clone()).await;
        assert!(
            matches!(full, Err(CommitError::Store(StoreError::Unavailable(_)))),
            "{full:?}"
        );
        assert_not_stored(&store, &refused).await;
        let full = store.receive(&notification).await;
        assert!(matches!(full, Err(StoreError::Unavailable(_))), "{full:?}");
        assert_eq!(store.notification(notification.id).await.unwrap(), None);
        // This connection has no busy timeout: a lock kept by the writer would fail the read at
        // once.
        other.batch_execute("BEGIN IMMEDIATE; ROLLBACK").unwrap();
    }
    // Writes that need no new page still succeed, and so do reads.
    let audit = build.audit(AuditAction::EndpointSet);
    let endpoint = build.endpoint(&merchant, &key);
    store.set_endpoint(&endpoint, &audit).await.unwrap();
    assert!(store.is_committed(&first).await.unwrap());

    allow_growth(&store, 1000).await;
    store.commit(refused.clone()).await.unwrap();
    assert!(store.is_committed(&refused).await.unwrap());
    assert!(store.receive(&notification).await.unwrap());
    let broken = "SELECT count(*) AS number FROM pragma_integrity_check() \
         WHERE integrity_check <> 'ok'";
    assert_eq!(number(&mut other, broken), 0);
}
