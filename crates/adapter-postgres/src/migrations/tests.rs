//! Migrations after the first, on a large table with concurrent writers.
#![expect(
    clippy::disallowed_methods,
    reason = "a migration runs concurrently with the test"
)]

#[expect(dead_code, reason = "shared with the tests of the store")]
#[path = "../../tests/support/database.rs"]
mod database;

use std::{path::Path, time::Duration};

use diesel_migrations::FileBasedMigrations;
use oncharge_ports::StoreError;
use tokio_postgres::Client;

use super::{Address, migrate, run_from};
use database::{Database, connect};

/// Number of rows in the migrated table.
const ROWS: u32 = 100_000;

/// Writes the released migrations and these, each with its name, its statement and whether it runs
/// in a transaction.
fn migrations_with(next: &[(&str, &str, bool)]) -> (tempfile::TempDir, FileBasedMigrations) {
    let directory = tempfile::tempdir().unwrap();
    let released = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations/postgres");
    for entry in std::fs::read_dir(released).unwrap() {
        let entry = entry.unwrap();
        let to = directory.path().join(entry.file_name());
        std::fs::create_dir(&to).unwrap();
        for file in ["up.sql", "down.sql"] {
            std::fs::copy(entry.path().join(file), to.join(file)).unwrap();
        }
    }
    for (name, up, in_transaction) in next {
        let to = directory.path().join(name);
        std::fs::create_dir(&to).unwrap();
        std::fs::write(to.join("up.sql"), up).unwrap();
        let metadata = format!("run_in_transaction = {in_transaction}");
        std::fs::write(to.join("metadata.toml"), metadata).unwrap();
    }
    let source = FileBasedMigrations::from_path(directory.path()).unwrap();
    (directory, source)
}

async fn filled_database() -> Database {
    let database = Database::migrated().await.unwrap();
    let client = connect(&database.url).await.unwrap();
    let fill = "INSERT INTO audit_log (id, created_at, action, detail)
        SELECT gen_random_uuid(), now(), 'test', '' FROM generate_series(1, $1::bigint)";
    client.execute(fill, &[&i64::from(ROWS)]).await.unwrap();
    database
}

async fn write(client: &Client) {
    let insert = "INSERT INTO audit_log (id, created_at, action, detail)
        VALUES (gen_random_uuid(), now(), 'test', '')";
    client.execute(insert, &[]).await.unwrap();
}

/// Waits until another connection is blocked on a lock of the table.
async fn wait_for_lock_wait(client: &Client) {
    let waiting = "SELECT count(*) FROM pg_locks
        WHERE relation = 'audit_log'::regclass AND NOT granted";
    while client
        .query_one(waiting, &[])
        .await
        .unwrap()
        .get::<_, i64>(0)
        == 0
    {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_migration_that_waits_for_a_lock_does_not_block_writers() {
    let database = filled_database().await;
    let (_directory, source) = migrations_with(&[(
        "0002_note",
        "ALTER TABLE audit_log ADD COLUMN note text",
        true,
    )]);
    let (reader, writer) = (
        connect(&database.url).await.unwrap(),
        connect(&database.url).await.unwrap(),
    );
    // A long transaction that has read the table blocks the migration.
    let begin = "BEGIN; SELECT count(*) FROM audit_log WHERE number = 1";
    reader.batch_execute(begin).await.unwrap();
    let address = Address::parse(&database.url).unwrap();
    let migration = tokio::spawn(async move { run_from(&address, source).await });
    for _ in 0..2 {
        wait_for_lock_wait(&writer).await;
        // It would block forever behind a migration that waits without a timeout.
        write(&writer).await;
    }
    assert!(!migration.is_finished());
    reader.batch_execute("COMMIT").await.unwrap();
    migration.await.unwrap().unwrap();
    write(&writer).await;
    let column = "SELECT count(note) FROM audit_log";
    writer.query_one(column, &[]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_index_is_built_while_others_write() {
    let database = filled_database().await;
    let client = connect(&database.url).await.unwrap();
    // The state after an interrupted build.
    let broken = "CREATE INDEX audit_log_by_action ON audit_log (action);
        UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'audit_log_by_action'::regclass";
    client.batch_execute(broken).await.unwrap();
    let (_directory, source) = migrations_with(&[(
        "0002_by_action",
        "CREATE INDEX CONCURRENTLY audit_log_by_action ON audit_log (action)",
        false,
    )]);
    // A transaction that has written: an index that is not built concurrently would wait for it,
    // and writers for the index.
    let open = connect(&database.url).await.unwrap();
    open.batch_execute("BEGIN").await.unwrap();
    write(&open).await;
    let address = Address::parse(&database.url).unwrap();
    let migration = tokio::spawn(async move { run_from(&address, source).await });
    let building = "SELECT count(*) FROM pg_stat_activity
        WHERE query LIKE '%INDEX CONCURRENTLY%' AND wait_event_type = 'Lock'
            AND datname = current_database()";
    while client
        .query_one(building, &[])
        .await
        .unwrap()
        .get::<_, i64>(0)
        == 0
    {
        tokio::task::yield_now().await;
    }
    write(&client).await;
    assert!(!migration.is_finished());
    open.batch_execute("COMMIT").await.unwrap();
    migration.await.unwrap().unwrap();
    let valid = "SELECT indisvalid FROM pg_index
        WHERE indexrelid = 'audit_log_by_action'::regclass";
    let valid: bool = client.query_one(valid, &[]).await.unwrap().get(0);
    assert!(valid);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_migrated_by_a_newer_version_is_rejected() {
    let database = Database::migrated().await.unwrap();
    let (_directory, source) =
        migrations_with(&[("0002_next", "CREATE TABLE next (id uuid)", true)]);
    let address = Address::parse(&database.url).unwrap();
    run_from(&address, source).await.unwrap();
    let refused = migrate(&database.url).await;
    let Err(StoreError::Failed(error)) = refused else {
        panic!("a newer schema was accepted: {refused:?}");
    };
    assert!(error.to_string().contains("newer version"), "{error}");
    let wait = tokio::time::timeout(Duration::from_secs(60), migrate(&database.url));
    assert!(
        wait.await.unwrap().is_err(),
        "a second start was not refused"
    );
}
