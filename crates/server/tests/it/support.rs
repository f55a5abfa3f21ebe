//! Shared by the tests: running binaries, a merchant, a shopper, the PSP's ledger.

pub(crate) mod audit;
pub(crate) mod binary;
pub(crate) mod database;
pub(crate) mod node;
pub(crate) mod shop;
pub(crate) mod webhooks;

pub(crate) use binary::Dev;
pub(crate) use database::{Database, on_both};
pub(crate) use node::Cluster;
pub(crate) use shop::{ApiResponse, Shop};

use std::time::{Duration, Instant};

/// Polls until there is a result; fails after `seconds` with the last error.
pub(crate) async fn eventually<T, F>(seconds: u64, what: &str, mut ask: impl FnMut() -> F) -> T
where
    F: Future<Output = Result<T, String>>,
{
    let until = Instant::now() + Duration::from_secs(seconds);
    loop {
        match ask().await {
            Ok(value) => return value,
            Err(seen) if Instant::now() > until => panic!("{what}: still {seen} after {seconds} s"),
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}
