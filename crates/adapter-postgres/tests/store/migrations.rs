//! Migrations by several nodes concurrently, and on any kind of runtime.

use oncharge_adapter_postgres::migrate;
use oncharge_conformance::keys;
use oncharge_ports::Maintenance;

use crate::{
    database::{Database, open},
    fixture::tables,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn four_nodes_migrate_an_empty_database_at_once() {
    let database = Database::empty().await;
    let node = || open(&database.url, keys(), 2);
    let (a, b, c, d) = tokio::join!(node(), node(), node(), node());
    for store in [a, b, c, d] {
        store.unwrap().ping().await.unwrap();
    }
    let client = database.client().await;
    assert_eq!(tables(&client).await.len(), 17);
    let versions = "SELECT count(*) FROM __diesel_schema_migrations";
    let versions: i64 = client.query_one(versions, &[]).await.unwrap().get(0);
    assert_eq!(versions, 1, "each migration runs once");
}

#[tokio::test(flavor = "current_thread")]
async fn migrating_needs_no_special_runtime_and_may_be_repeated() {
    let database = Database::empty().await;
    migrate(&database.url).await.unwrap();
    migrate(&database.url).await.unwrap();
    assert_eq!(tables(&database.client().await).await.len(), 17);
}

#[tokio::test]
async fn the_down_migration_removes_everything() {
    let database = Database::empty().await;
    migrate(&database.url).await.unwrap();
    let client = database.client().await;
    let first = include_str!("../../../../migrations/postgres/0001_initial/down.sql");
    client.batch_execute(first).await.unwrap();
    assert_eq!(tables(&client).await, Vec::<String>::new());
}
