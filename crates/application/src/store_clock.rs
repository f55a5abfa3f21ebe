//! The time of use cases and workers: this node's clock, corrected to the store's.
//!
//! Nodes write due times and the store judges them: a node whose clock is ahead would delay its
//! work, and one that is behind would start it early. The difference is measured periodically; a
//! node that is far off is most likely broken and must not work.

mod clock;

use std::sync::atomic::Ordering;

use time::Duration;
use tracing::{debug, warn};

pub(crate) use self::clock::StoreClock;
use crate::{App, Error};

/// The difference above which each measurement logs a warning.
const WARN_THRESHOLD: Duration = Duration::seconds(2);
/// How often the difference is measured.
const MEASUREMENT_INTERVAL: std::time::Duration = std::time::Duration::from_secs(10);
/// Number of samples per measurement; the one with the shortest round trip is the most exact.
const SAMPLES: usize = 3;

/// Measures the difference and corrects the time of this process by it.
pub async fn measure(app: &App) -> Result<(), Error> {
    let clock = &app.inner().clock;
    let mut best: Option<(Duration, Duration)> = None;
    for _ in 0..SAMPLES {
        let sent = clock.node.now();
        let store = app.inner().store.work.now().await?;
        let round_trip = clock.node.now().since(sent);
        // Too slow to be exact, or this node's clock was set in the meantime.
        if round_trip > WARN_THRESHOLD || round_trip.is_negative() {
            continue;
        }
        // The store is assumed to have read its clock halfway through the round trip.
        let ahead = sent.plus(round_trip / 2).since(store);
        if best.is_none_or(|(shortest, _)| round_trip < shortest) {
            best = Some((round_trip, ahead));
        }
    }
    let Some((_, ahead)) = best else {
        return Ok(());
    };
    let micros = i64::try_from(ahead.whole_microseconds()).unwrap_or(i64::MAX);
    clock.ahead.store(micros, Ordering::Relaxed);
    if ahead.abs() > WARN_THRESHOLD {
        let seconds = ahead.as_seconds_f64();
        if clock.exceeds_max_skew() {
            warn!(
                ahead_seconds = seconds,
                "this node's clock differs from the database's by more than the limit; its workers \
                 are paused"
            );
        } else {
            warn!(
                ahead_seconds = seconds,
                "this node's clock differs from the database's"
            );
        }
    }
    Ok(())
}

/// Measures every ten seconds, for as long as the future is polled.
pub async fn keep_measuring(app: &App) {
    loop {
        tokio::time::sleep(MEASUREMENT_INTERVAL).await;
        if let Err(error) = measure(app).await {
            debug!(
                error = &error as &dyn std::error::Error,
                "cannot read the database's clock"
            );
        }
    }
}
