//! Migrations: by several stores at once, and of files that are not ours.

use std::{fs, sync::Arc};

use diesel::{RunQueryDsl, sql_query};
use oncharge_adapter_sqlite::SqliteStore;
use oncharge_conformance::keys;
use oncharge_domain::audit::AuditAction;
use oncharge_ports::{MerchantRepository, StoreError};
use oncharge_testkit::{Builder, FakeClock, SeededEntropy};

use crate::fixture::{open, path, raw};

#[tokio::test]
async fn stores_that_are_opened_at_once_migrate_once() {
    let directory = tempfile::tempdir().unwrap();
    let opened: Vec<_> = std::thread::scope(|scope| {
        let open = |seed| {
            scope.spawn({
                let directory = &directory;
                move || open(directory, seed)
            })
        };
        let threads: Vec<_> = (1..=4).map(open).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    let build = Builder::new(1);
    let (merchant, audit) = (build.merchant(), build.audit(AuditAction::MerchantCreated));
    let (key, hash) = build.api_key(&merchant);
    opened[0]
        .create(&merchant, &key, &hash, &audit)
        .await
        .unwrap();
    for store in &opened {
        let found = store.merchant(merchant.id).await.unwrap();
        assert_eq!(found.as_ref(), Some(&merchant));
    }
}

#[test]
fn a_file_of_a_newer_version_or_another_program_is_rejected() {
    let directory = tempfile::tempdir().unwrap();
    drop(open(&directory, 1));
    sql_query("INSERT INTO __diesel_schema_migrations (version) VALUES ('9999')")
        .execute(&mut raw(&directory))
        .unwrap();
    let refused = |directory: &tempfile::TempDir| {
        let entropy = Arc::new(SeededEntropy::new(1));
        SqliteStore::open(path(directory), keys(), entropy, Arc::new(FakeClock::new())).unwrap_err()
    };
    let newer = refused(&directory);
    assert!(matches!(newer, StoreError::Failed(_)), "{newer:?}");

    let directory = tempfile::tempdir().unwrap();
    fs::write(
        path(&directory),
        "no database at all, but long enough to look like one".repeat(99),
    )
    .unwrap();
    let foreign = refused(&directory);
    assert!(matches!(foreign, StoreError::Failed(_)), "{foreign:?}");

    let directory = tempfile::tempdir().unwrap();
    let entropy = Arc::new(SeededEntropy::new(1));
    let nowhere = SqliteStore::open(
        directory.path().join("none/x.db"),
        keys(),
        entropy,
        Arc::new(FakeClock::new()),
    );
    assert!(
        matches!(nowhere, Err(StoreError::Unavailable(_))),
        "{nowhere:?}"
    );
}
