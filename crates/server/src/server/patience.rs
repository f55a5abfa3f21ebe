//! Waits for a database that is not there yet.

use std::{future::Future, time::Duration};

use oncharge_ports::{Entropy, StoreError};

/// The wait after the first try; it doubles from try to try.
const FIRST: Duration = Duration::from_secs(1);
/// The longest wait.
const LONGEST: Duration = Duration::from_secs(15);

/// Opens the store. If the database is unreachable, logs a warning and retries, first after 1 s, then
/// at most every 15 s.
///
/// Errors at once with anything else: a wrong password, a URL that cannot be read, a migration that
/// fails, a statement that took too long, wrong keys. `place` is where the database is, without secrets.
pub(crate) async fn until_there<T, F>(
    place: &str,
    entropy: &dyn Entropy,
    open: impl Fn() -> F,
) -> anyhow::Result<T>
where
    F: Future<Output = anyhow::Result<T>>,
{
    let mut step = FIRST;
    loop {
        let error = match open().await {
            Ok(opened) => return Ok(opened),
            Err(error) if may_pass(&error) => error,
            Err(error) => return Err(error),
        };
        let wait = with_jitter(step, entropy);
        let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        tracing::warn!(
            database = place,
            wait_ms,
            "database unreachable, retrying: {error:#}"
        );
        tokio::time::sleep(wait).await;
        step = step.saturating_mul(2).min(LONGEST);
    }
}

fn may_pass(error: &anyhow::Error) -> bool {
    matches!(
        error.downcast_ref::<StoreError>(),
        Some(StoreError::Unreachable(_))
    )
}

/// Half of the step to all of it, so that many nodes do not come back at one moment.
fn with_jitter(step: Duration, entropy: &dyn Entropy) -> Duration {
    let [byte] = entropy.bytes::<1>();
    step / 2 + step.mul_f64(f64::from(byte) / 512.0)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use anyhow::Context;

    use super::*;
    use crate::system::SystemEntropy;

    #[tokio::test(start_paused = true)]
    async fn it_waits_for_what_passes_a_little_longer_each_time() {
        let (tries, entropy) = (Cell::new(0), SystemEntropy::new());
        let started = tokio::time::Instant::now();
        let opened = until_there("here", &entropy, || async {
            tries.set(tries.get() + 1);
            match tries.get() {
                ..=7 => Err(StoreError::Unreachable("refused".into())).context("opening"),
                _ => Ok("there"),
            }
        });
        assert_eq!(opened.await.unwrap(), "there");
        // 1, 2, 4, 8, 15, 15, 15 seconds, each at least half of it.
        let took = started.elapsed().as_secs();
        assert!((30..=60).contains(&took), "{took} s");
    }

    #[tokio::test]
    async fn what_does_not_pass_ends_it_at_once() {
        let entropy = SystemEntropy::new();
        for fault in [
            StoreError::Failed("the password is wrong".into()),
            StoreError::Unavailable("the password is wrong, or a statement took too long".into()),
        ] {
            let fault = Cell::new(Some(fault));
            let ended: anyhow::Result<()> = until_there("here", &entropy, || async {
                Err(fault.take().expect("one try alone")).context("opening")
            })
            .await;
            let text = format!("{:#}", ended.unwrap_err());
            assert!(text.contains("the password is wrong"), "{text}");
        }
    }
}
