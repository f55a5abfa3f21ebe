//! Waits for an unreachable database at startup.

use std::{future::Future, time::Duration};

use oncharge_ports::{Entropy, StoreError};

/// The delay after the first attempt; it doubles with each attempt.
const INITIAL_DELAY: Duration = Duration::from_secs(1);
/// The maximum delay.
const MAX_DELAY: Duration = Duration::from_secs(15);

/// Opens the store. If the database is unreachable, logs a warning and retries, first after 1 s,
/// then at most every 15 s.
///
/// Any other error is returned at once: a wrong password, an invalid URL, a failed migration, a
/// statement timeout, wrong keys. `location` is the database's address, without secrets.
pub(crate) async fn wait_for_database<T, F>(
    location: &str,
    entropy: &dyn Entropy,
    open: impl Fn() -> F,
) -> anyhow::Result<T>
where
    F: Future<Output = anyhow::Result<T>>,
{
    let mut delay = INITIAL_DELAY;
    loop {
        let error = match open().await {
            Ok(opened) => return Ok(opened),
            Err(error) if is_transient(&error) => error,
            Err(error) => return Err(error),
        };
        let wait = with_jitter(delay, entropy);
        let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        tracing::warn!(
            database = location,
            wait_ms,
            "database unreachable, retrying: {error:#}"
        );
        tokio::time::sleep(wait).await;
        delay = delay.saturating_mul(2).min(MAX_DELAY);
    }
}

fn is_transient(error: &anyhow::Error) -> bool {
    matches!(
        error.downcast_ref::<StoreError>(),
        Some(StoreError::Unreachable(_))
    )
}

/// A random delay from half of `delay` to all of it, so that nodes do not retry in lockstep.
fn with_jitter(delay: Duration, entropy: &dyn Entropy) -> Duration {
    let [byte] = entropy.bytes::<1>();
    delay / 2 + delay.mul_f64(f64::from(byte) / 512.0)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use anyhow::Context;

    use super::*;
    use crate::system::SystemEntropy;

    #[tokio::test(start_paused = true)]
    async fn an_unreachable_database_is_retried_with_backoff() {
        let (attempts, entropy) = (Cell::new(0), SystemEntropy::new());
        let started = tokio::time::Instant::now();
        let opened = wait_for_database("here", &entropy, || async {
            attempts.set(attempts.get() + 1);
            match attempts.get() {
                ..=7 => Err(StoreError::Unreachable("refused".into())).context("opening"),
                _ => Ok("there"),
            }
        });
        assert_eq!(opened.await.unwrap(), "there");
        // 1, 2, 4, 8, 15, 15, 15 seconds, each reduced by at most half.
        let took = started.elapsed().as_secs();
        assert!((30..=60).contains(&took), "{took} s");
    }

    #[tokio::test]
    async fn other_errors_are_returned_at_once() {
        let entropy = SystemEntropy::new();
        for fault in [
            StoreError::Failed("the password is wrong".into()),
            StoreError::Unavailable("the password is wrong, or a statement took too long".into()),
        ] {
            let fault = Cell::new(Some(fault));
            let ended: anyhow::Result<()> = wait_for_database("here", &entropy, || async {
                Err(fault.take().expect("only one attempt")).context("opening")
            })
            .await;
            let text = format!("{:#}", ended.unwrap_err());
            assert!(text.contains("the password is wrong"), "{text}");
        }
    }
}
