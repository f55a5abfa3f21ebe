//! Connections that fail before, during and after a commit.

use std::{sync::Arc, time::Duration};

use oncharge_adapter_postgres::PostgresStore;
use oncharge_domain::session::Session;
use oncharge_ports::{CheckoutRepository, CommitError, Maintenance, StoreError};
use oncharge_testkit::SeededEntropy;
use tokio::runtime::Builder;
use tokio_postgres::Client;

use crate::{fixture::Fixture, proxy::Fault};

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_never_arrived_has_an_unknown_outcome_and_writes_nothing() {
    let (fixture, proxy) = Fixture::with_proxy(2).await;
    let before = fixture.row_counts().await;
    let unit = fixture.keyed_session_unit("k");
    proxy.plan("COMMIT", Fault::CloseBefore);
    let outcome = fixture.store.commit(unit.clone()).await;
    assert!(
        matches!(outcome, Err(CommitError::OutcomeUnknown)),
        "{outcome:?}"
    );
    assert!(!fixture.store.is_committed(&unit).await.unwrap());
    assert_eq!(fixture.row_counts().await, before);
    // The same unit can be committed again.
    fixture.store.commit(unit.clone()).await.unwrap();
    assert!(fixture.store.is_committed(&unit).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_whose_response_was_lost_has_an_unknown_outcome_and_is_stored() {
    let (fixture, proxy) = Fixture::with_proxy(2).await;
    let session = fixture.captured_session().await;
    for unit in [
        fixture.keyed_session_unit("k"),
        fixture.refund_unit(&session, "r"),
    ] {
        proxy.plan("COMMIT", Fault::CloseAfter);
        let outcome = fixture.store.commit(unit.clone()).await;
        assert!(
            matches!(outcome, Err(CommitError::OutcomeUnknown)),
            "{outcome:?}"
        );
        assert!(fixture.store.is_committed(&unit).await.unwrap());
        let saved = fixture.store.session(unit.session.id).await.unwrap();
        assert_eq!(saved.as_ref(), Some(&unit.session));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn committed_returns_only_after_its_own_transaction_commits() {
    let (fixture, proxy) = Fixture::with_proxy(1).await;
    let unit = fixture.session_unit();
    fixture.store.commit(unit.clone()).await.unwrap();
    proxy.plan("COMMIT", Fault::Hold);
    tokio::select! {
        response = fixture.store.is_committed(&unit) => panic!("response before the commit: {response:?}"),
        () = proxy.held() => {}
    }
    assert!(fixture.store.is_committed(&unit).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_with_an_abandoned_read_is_not_reused_before_it_finishes() {
    let fixture = Fixture::open(2).await;
    let session = fixture.created_session().await;
    let client = fixture.database.client().await;
    let lock = "BEGIN; LOCK TABLE sessions IN ACCESS EXCLUSIVE MODE";
    client.batch_execute(lock).await.unwrap();
    tokio::select! {
        found = fixture.store.session(session.id) => panic!("the table is locked: {found:?}"),
        () = wait_for_lock_wait(&client) => {}
    }
    // The read still occupies its connection: other queries must not wait for it.
    let ping = tokio::time::timeout(Duration::from_secs(3), fixture.store.ping()).await;
    ping.expect("the ping waited for the abandoned read")
        .unwrap();
    client.batch_execute("ROLLBACK").await.unwrap();
    // Both connections are usable again, and no further one was opened.
    let read = async || fixture.store.session(session.id).await.unwrap();
    let both = tokio::join!(read(), read());
    assert_eq!(both, (Some(session.clone()), Some(session.clone())));
    assert_eq!(fixture.store.statistics().connections, 2);
}

/// Waits until a statement of the store is blocked by a lock.
async fn wait_for_lock_wait(client: &Client) {
    let waiting = "SELECT 1 FROM pg_locks JOIN pg_database ON pg_database.oid = database \
         WHERE datname = current_database() AND NOT granted";
    while client.query(waiting, &[]).await.unwrap().is_empty() {}
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_lost_before_the_commit_writes_nothing_and_is_unavailable() {
    let (fixture, proxy) = Fixture::with_proxy(2).await;
    for fault in [Fault::CloseBefore, Fault::CloseAfter] {
        let unit = fixture.session_unit();
        proxy.plan("BEGIN", fault);
        let outcome = fixture.store.commit(unit.clone()).await;
        let unavailable = matches!(outcome, Err(CommitError::Store(StoreError::Unavailable(_))));
        assert!(unavailable, "{fault:?}: {outcome:?}");
        assert!(
            !fixture.store.is_committed(&unit).await.unwrap(),
            "{fault:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_commit_releases_its_locks_and_its_connection() {
    let (fixture, proxy) = Fixture::with_proxy(1).await;
    let session = fixture.created_session().await;
    let dropped = fixture.build.next_unit(&session);
    proxy.plan("COMMIT", Fault::Hold);
    // The session's row is locked now, and the only connection is in use.
    tokio::select! {
        outcome = fixture.store.commit(dropped.clone()) => panic!("not held: {outcome:?}"),
        () = proxy.held() => {}
    }
    let next = fixture.build.next_unit(&session);
    fixture.store.commit(next.clone()).await.unwrap();
    assert!(fixture.store.is_committed(&next).await.unwrap());
    assert!(!fixture.store.is_committed(&dropped).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminated_backend_writes_nothing() {
    let fixture = Fixture::open(1).await;
    let client = fixture.database.client().await;
    let session = fixture.created_session().await;
    client.batch_execute("BEGIN").await.unwrap();
    lock(&client, &session).await;
    let unit = fixture.build.next_unit(&session);
    let (outcome, ()) = tokio::join!(fixture.store.commit(unit.clone()), async {
        let waiting = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE datname = current_database() AND wait_event_type = 'Lock'";
        // A transaction sees a snapshot of the activity, so it must be refreshed.
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
    assert!(!fixture.store.is_committed(&unit).await.unwrap());
    fixture.store.commit(unit).await.unwrap();
}

async fn lock(client: &Client, session: &Session) {
    let row = "SELECT 1 FROM sessions WHERE id = $1 FOR UPDATE";
    let locked = client.query(row, &[&session.id.uuid()]).await.unwrap();
    assert_eq!(locked.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_closed_while_idle_are_replaced() {
    let fixture = Fixture::open(1).await;
    let client = fixture.database.client().await;
    let connections = fixture.store.statistics().connections;
    let all = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity \
         WHERE datname = current_database() AND pid <> pg_backend_pid()";
    assert_eq!(client.query(all, &[]).await.unwrap().len(), 1);
    // A query that is sent before the disconnect is noticed fails, but only once.
    let first = fixture.store.ping().await;
    assert!(!matches!(first, Err(StoreError::Failed(_))), "{first:?}");
    fixture.store.ping().await.unwrap();
    assert_eq!(fixture.store.statistics().connections, connections + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_for_a_connection_times_out() {
    let (fixture, proxy) = Fixture::with_proxy(1).await;
    proxy.plan("COMMIT", Fault::Hold);
    let late = async {
        proxy.held().await;
        fixture.store.ping().await
    };
    tokio::select! {
        outcome = fixture.store.commit(fixture.session_unit()) => panic!("not held: {outcome:?}"),
        late = late => assert!(matches!(late, Err(StoreError::Unavailable(_))), "{late:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_absent_server_is_unreachable_and_a_refusing_server_is_not() {
    let fixture = Fixture::open(1).await;
    let missing = format!("{}_missing", fixture.database.url);
    let error = refused(&missing).await;
    // A missing database is not retried, because the URL must be corrected.
    assert!(matches!(error, StoreError::Failed(_)), "{error:?}");
    let nobody = refused("postgres://postgres@127.0.0.1:1/postgres").await;
    assert!(matches!(nobody, StoreError::Unreachable(_)), "{nobody:?}");
    // A server that refuses the connection for now: the error must contain the reason.
    let role = format!("limited_{}", std::process::id());
    let client = fixture.database.client().await;
    let create = format!("CREATE ROLE {role} LOGIN CONNECTION LIMIT 0");
    client.batch_execute(&create).await.unwrap();
    let limited = fixture
        .database
        .url
        .replace("postgres@", &format!("{role}@"));
    let full = refused(&limited).await;
    let drop = format!("DROP ROLE {role}");
    client.batch_execute(&drop).await.unwrap();
    assert!(matches!(full, StoreError::Failed(_)), "{full:?}");
}

async fn refused(url: &str) -> StoreError {
    let refused = crate::database::open(url, oncharge_conformance::keys(), 1).await;
    refused.unwrap_err().downcast().unwrap()
}

/// Opened for a caller whose runtime ends, as that of an idle worker of the HTTP server does at
/// shutdown.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_survives_the_end_of_its_openers_runtime() {
    let fixture = Fixture::open(1).await;
    let store = PostgresStore::connect_without_migrating(
        &fixture.database.url,
        oncharge_conformance::keys(),
        Arc::new(SeededEntropy::new(1)),
        1,
    )
    .unwrap();
    let opener = store.clone();
    let thread = std::thread::spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(opener.ping()).unwrap();
    });
    tokio::task::block_in_place(|| thread.join().unwrap());
    store.ping().await.unwrap();
    assert_eq!(
        store.statistics().connections,
        1,
        "it had to open another one"
    );
}
