//! Connections that break at the worst moment.

use std::time::Duration;

use oncharge_domain::session::Session;
use oncharge_ports::{CheckoutRepository, CommitError, Maintenance, StoreError};
use tokio_postgres::Client;

use crate::{proxy::Fault, shop::Shop};

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_never_arrived_is_unknown_and_left_nothing() {
    let (shop, proxy) = Shop::behind_a_proxy(2).await;
    let before = shop.row_counts().await;
    let unit = shop.creating_once("k");
    proxy.plan("COMMIT", Fault::CutBefore);
    let outcome = shop.store.commit(unit.clone()).await;
    assert!(
        matches!(outcome, Err(CommitError::OutcomeUnknown)),
        "{outcome:?}"
    );
    assert!(!shop.store.committed(&unit).await.unwrap());
    assert_eq!(shop.row_counts().await, before);
    // The same unit may be tried again.
    shop.store.commit(unit.clone()).await.unwrap();
    assert!(shop.store.committed(&unit).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_whose_answer_was_lost_is_unknown_and_there() {
    let (shop, proxy) = Shop::behind_a_proxy(2).await;
    let session = shop.captured().await;
    for unit in [shop.creating_once("k"), shop.refunding(&session, "r")] {
        proxy.plan("COMMIT", Fault::CutAfter);
        let outcome = shop.store.commit(unit.clone()).await;
        assert!(
            matches!(outcome, Err(CommitError::OutcomeUnknown)),
            "{outcome:?}"
        );
        assert!(shop.store.committed(&unit).await.unwrap());
        let saved = shop.store.session(unit.session.id).await.unwrap();
        assert_eq!(saved.as_ref(), Some(&unit.session));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whether_a_unit_was_committed_is_answered_by_a_transaction_that_commits() {
    let (shop, proxy) = Shop::behind_a_proxy(1).await;
    let unit = shop.creating();
    shop.store.commit(unit.clone()).await.unwrap();
    proxy.plan("COMMIT", Fault::Hold);
    tokio::select! {
        answer = shop.store.committed(&unit) => panic!("answered before the commit: {answer:?}"),
        () = proxy.held() => {}
    }
    assert!(shop.store.committed(&unit).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_with_an_abandoned_read_is_not_used_before_that_is_over() {
    let shop = Shop::open(2).await;
    let session = shop.created().await;
    let client = shop.database.client().await;
    let lock = "BEGIN; LOCK TABLE sessions IN ACCESS EXCLUSIVE MODE";
    client.batch_execute(lock).await.unwrap();
    tokio::select! {
        found = shop.store.session(session.id) => panic!("the table is locked: {found:?}"),
        () = until_one_waits(&client) => {}
    }
    // The read still occupies its connection: others must not queue behind it.
    let ping = tokio::time::timeout(Duration::from_secs(3), shop.store.ping()).await;
    ping.expect("the ping waited for the abandoned read")
        .unwrap();
    client.batch_execute("ROLLBACK").await.unwrap();
    // Both connections can be used again, and no other is made.
    let read = async || shop.store.session(session.id).await.unwrap();
    let both = tokio::join!(read(), read());
    assert_eq!(both, (Some(session.clone()), Some(session.clone())));
    assert_eq!(shop.store.traffic().connections, 2);
}

/// Waits until a statement of the store waits for a lock.
async fn until_one_waits(client: &Client) {
    let waiting = "SELECT 1 FROM pg_locks JOIN pg_database ON pg_database.oid = database \
         WHERE datname = current_database() AND NOT granted";
    while client.query(waiting, &[]).await.unwrap().is_empty() {}
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_cut_before_the_commit_wrote_nothing_and_says_so() {
    let (shop, proxy) = Shop::behind_a_proxy(2).await;
    for fault in [Fault::CutBefore, Fault::CutAfter] {
        let unit = shop.creating();
        proxy.plan("BEGIN", fault);
        let outcome = shop.store.commit(unit.clone()).await;
        let unavailable = matches!(outcome, Err(CommitError::Store(StoreError::Unavailable(_))));
        assert!(unavailable, "{fault:?}: {outcome:?}");
        assert!(!shop.store.committed(&unit).await.unwrap(), "{fault:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_dropped_on_the_way_frees_its_locks_and_its_place_in_the_pool() {
    let (shop, proxy) = Shop::behind_a_proxy(1).await;
    let session = shop.created().await;
    let dropped = shop.build.next_unit(&session);
    proxy.plan("COMMIT", Fault::Hold);
    // The session's row is locked by now, and the only connection is in use.
    tokio::select! {
        outcome = shop.store.commit(dropped.clone()) => panic!("not held: {outcome:?}"),
        () = proxy.held() => {}
    }
    let next = shop.build.next_unit(&session);
    shop.store.commit(next.clone()).await.unwrap();
    assert!(shop.store.committed(&next).await.unwrap());
    assert!(!shop.store.committed(&dropped).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_ends_the_connection_in_the_middle_wrote_nothing() {
    let shop = Shop::open(1).await;
    let client = shop.database.client().await;
    let session = shop.created().await;
    client.batch_execute("BEGIN").await.unwrap();
    lock(&client, &session).await;
    let unit = shop.build.next_unit(&session);
    let (outcome, ()) = tokio::join!(shop.store.commit(unit.clone()), async {
        let waiting = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE datname = current_database() AND wait_event_type = 'Lock'";
        // Within the transaction that holds the lock a look at the activity must be a fresh one.
        while client.query(waiting, &[]).await.unwrap().is_empty() {
            client
                .batch_execute("SELECT pg_stat_clear_snapshot()")
                .await
                .unwrap();
        }
    });
    let unavailable = matches!(outcome, Err(CommitError::Store(StoreError::Unavailable(_))));
    assert!(unavailable, "{outcome:?}");
    client.batch_execute("ROLLBACK").await.unwrap();
    assert!(!shop.store.committed(&unit).await.unwrap());
    shop.store.commit(unit).await.unwrap();
}

async fn lock(client: &Client, session: &Session) {
    let row = "SELECT 1 FROM sessions WHERE id = $1 FOR UPDATE";
    let locked = client.query(row, &[&session.id.uuid()]).await.unwrap();
    assert_eq!(locked.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_ended_while_idle_are_replaced() {
    let shop = Shop::open(1).await;
    let client = shop.database.client().await;
    let connections = shop.store.traffic().connections;
    let all = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity \
         WHERE datname = current_database() AND pid <> pg_backend_pid()";
    assert_eq!(client.query(all, &[]).await.unwrap().len(), 1);
    // Whoever is so quick that the end has not been noticed yet gets an error, but only once.
    let first = shop.store.ping().await;
    assert!(!matches!(first, Err(StoreError::Failed(_))), "{first:?}");
    shop.store.ping().await.unwrap();
    assert_eq!(shop.store.traffic().connections, connections + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_for_ever_for_a_connection() {
    let (shop, proxy) = Shop::behind_a_proxy(1).await;
    proxy.plan("COMMIT", Fault::Hold);
    let late = async {
        proxy.held().await;
        shop.store.ping().await
    };
    tokio::select! {
        outcome = shop.store.commit(shop.creating()) => panic!("not held: {outcome:?}"),
        late = late => assert!(matches!(late, Err(StoreError::Unavailable(_))), "{late:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_not_there_is_unreachable_and_one_that_refuses_is_not() {
    let shop = Shop::open(1).await;
    let missing = format!("{}_missing", shop.database.url);
    let error = refused(&missing).await;
    // No waiting makes a database: whoever wrote the URL must look at it.
    assert!(matches!(error, StoreError::Failed(_)), "{error:?}");
    let nobody = refused("postgres://postgres@127.0.0.1:1/postgres").await;
    assert!(matches!(nobody, StoreError::Unreachable(_)), "{nobody:?}");
    // A server that is there, but refuses the connection for now: a person should know why.
    let role = format!("limited_{}", std::process::id());
    let client = shop.database.client().await;
    let create = format!("CREATE ROLE {role} LOGIN CONNECTION LIMIT 0");
    client.batch_execute(&create).await.unwrap();
    let limited = shop.database.url.replace("postgres@", &format!("{role}@"));
    let full = refused(&limited).await;
    let drop = format!("DROP ROLE {role}");
    client.batch_execute(&drop).await.unwrap();
    assert!(matches!(full, StoreError::Failed(_)), "{full:?}");
}

async fn refused(url: &str) -> StoreError {
    let refused = crate::database::open(url, oncharge_conformance::keys(), 1).await;
    refused.unwrap_err().downcast().unwrap()
}
