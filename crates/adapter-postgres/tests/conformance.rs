//! The store on PostgreSQL keeps the laws of its ports.

#[path = "support/database.rs"]
mod database;

use std::{process::ExitCode, sync::Arc};

use database::Database;
use futures_util::future::BoxFuture;
use oncharge_conformance::{Store, keys, run};
use oncharge_domain::keyring::Keyring;

fn main() -> ExitCode {
    run(|| async { open(Arc::new(Database::migrated().await?), keys()).await })
}

/// Boxed, since a store knows how to open its like.
fn open(database: Arc<Database>, keys: Keyring) -> BoxFuture<'static, anyhow::Result<Store>> {
    Box::pin(async move {
        let store = database::open(&database.url, keys, 8).await?;
        let again = Arc::clone(&database);
        Ok(Store::of(Arc::new(store))
            .with_reopen(Arc::new(move |keys| open(Arc::clone(&again), keys)))
            .with_guard(database))
    })
}
