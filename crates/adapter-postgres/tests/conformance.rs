//! Runs the laws of the ports against PostgreSQL.

#[path = "support/database.rs"]
mod database;

use std::{process::ExitCode, sync::Arc};

use database::Database;
use futures_util::future::BoxFuture;
use oncharge_conformance::{SetClock, TestedStore, keys, run};
use oncharge_domain::keyring::Keyring;
use oncharge_ports::Store;

fn main() -> ExitCode {
    run(|| async { open(Arc::new(Database::migrated().await?), keys()).await })
}

/// Boxed, because a store contains the function that reopens it.
fn open(database: Arc<Database>, keys: Keyring) -> BoxFuture<'static, anyhow::Result<TestedStore>> {
    Box::pin(async move {
        let store = database::open(&database.url_with_test_clock(), keys, 8).await?;
        let again = Arc::clone(&database);
        let client = Arc::new(database::connect(&database.url).await?);
        let clock: SetClock = Arc::new(move |now| {
            let client = Arc::clone(&client);
            Box::pin(async move { database::set_clock(&client, now).await })
        });
        Ok(TestedStore::new(Store::new(Arc::new(store)), clock)
            .with_reopen(Arc::new(move |keys| open(Arc::clone(&again), keys)))
            .with_guard(database))
    })
}
