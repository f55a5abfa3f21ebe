//! Commits on a cluster that waits for a standby.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

use oncharge_domain::session::Session;
use oncharge_ports::{CheckoutRepository, CommitError, StoreError, UnitOfWork};
use tokio_postgres::Client;

use crate::{database::connect, fixture::Fixture};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/postgres");

/// A separate cluster whose settings the test may change; stopped when dropped.
struct Cluster {
    script: Child,
    url: String,
}

impl Cluster {
    fn start() -> Self {
        let mut script = Command::new("bash")
            .arg(SCRIPT)
            // Waiting for a standby requires that the cluster writes replication data.
            .env("POSTGRES_DURABLE", "yes")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let output = BufReader::new(script.stdout.as_mut().unwrap());
        for next in output.lines() {
            line = next.unwrap();
            if line.starts_with("export ") {
                break;
            }
        }
        let url = line.split('\'').nth(1).unwrap();
        let url = url.to_owned();
        Self { script, url }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let id = self.script.id().to_string();
        let _ = Command::new("kill").arg(id).status();
        let _ = self.script.wait();
    }
}

async fn set_standby(admin: &Client, setting: &str) {
    let set = format!("ALTER SYSTEM SET synchronous_standby_names = '{setting}'");
    admin.batch_execute(&set).await.unwrap();
    let reload = "SELECT pg_reload_conf()";
    admin.batch_execute(reload).await.unwrap();
}

/// Waits until a backend waits for a standby.
async fn wait_for_lock_wait(admin: &Client) {
    let waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
    while admin.query(waiting, &[]).await.unwrap().is_empty() {}
}

/// Cancels the wait of the one backend that waits for a standby.
async fn cancel_standby_wait(admin: &Client) {
    let cancel = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
    while admin.query(cancel, &[]).await.unwrap().is_empty() {}
}

/// Commits a new version of the session that waits for the standby, and returns the result after
/// that wait was cancelled. Retried, because a changed setting does not apply at once.
async fn commit_without_standby(
    fixture: &Fixture,
    admin: &Client,
    mut session: Session,
) -> (UnitOfWork, Result<(), CommitError>) {
    loop {
        let unit = fixture.build.next_unit(&session);
        let commit = fixture.store.commit(unit.clone());
        tokio::pin!(commit);
        tokio::select! {
            done = &mut commit => {
                done.unwrap();
                session = unit.session;
                continue;
            }
            () = wait_for_lock_wait(admin) => {}
        }
        let (result, ()) = tokio::join!(commit, cancel_standby_wait(admin));
        return (unit, result);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_without_a_standby_has_an_unknown_outcome() {
    let cluster = Cluster::start();
    let admin = connect(&cluster.url).await.unwrap();
    let fixture = Fixture::on_cluster(&cluster.url, 1).await;
    // Stopped before the fixture drops its database, which would wait for the standby.
    let _cluster = cluster;
    let session = fixture.created_session().await;
    set_standby(&admin, "absent").await;

    // The server reports success, with a warning that the transaction is committed only locally.
    let (unit, result) = commit_without_standby(&fixture, &admin, session).await;
    assert!(
        matches!(result, Err(CommitError::OutcomeUnknown)),
        "{result:?}"
    );
    let row = admin_sees(&fixture, &unit).await;
    assert_eq!(row, 1, "a plain read shows the transaction");

    // On a new connection, and on an existing one.
    for _ in 0..2 {
        let (response, ()) = tokio::join!(
            fixture.store.is_committed(&unit),
            cancel_standby_wait(&admin)
        );
        assert!(
            matches!(response, Err(StoreError::Unavailable(_))),
            "{response:?}"
        );
    }
    set_standby(&admin, "").await;
    assert!(fixture.store.is_committed(&unit).await.unwrap());
}

async fn admin_sees(fixture: &Fixture, unit: &UnitOfWork) -> usize {
    let client = fixture.database.client().await;
    let row = "SELECT 1 FROM session_changes WHERE unit_id = $1";
    client.query(row, &[&unit.id.uuid()]).await.unwrap().len()
}
