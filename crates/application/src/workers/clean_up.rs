//! Deletes rows that are past their retention period. Ends the deliveries that an endpoint has left
//! over.

use oncharge_domain::idempotency::REMEMBERED_SECONDS;
use oncharge_ports::maintenance::Old;
use tracing::info;

use crate::{App, Error};

/// How many rows one turn deletes at most: it must hold nobody up.
const ROWS: u32 = 500;
/// How much longer answers are kept than they are promised, in seconds: nodes' clocks differ.
const MARGIN: i64 = 3600;
const DAY: i64 = 86_400;
/// How long it is known which unit of work wrote a session's version, in seconds. It is asked when a
/// commit was interrupted, and no request or worker tries for longer than minutes.
const UNITS: i64 = 3600;
/// How long notifications that are over are kept, in seconds.
const NOTIFICATIONS: i64 = 90 * DAY;
/// How long deliveries and their attempts are kept after their end, in seconds.
const DELIVERIES: i64 = 90 * DAY;
/// How long operations that were never sent are kept, in seconds.
const NEVER_SENT: i64 = 90 * DAY;
/// How long unverified ones are kept as evidence, in seconds.
const UNVERIFIED: i64 = 7 * DAY;

/// Ends some deliveries and deletes some rows; returns how many, so that there may be more where it
/// is not 0.
pub async fn run_once(app: &App) -> Result<usize, Error> {
    let ended = app.inner().webhooks.end_left_over(None).await?;
    if ended > 0 {
        info!(
            ended,
            "deliveries that an endpoint has left over were ended"
        );
    }
    let now = app.now();
    let old = Old {
        units_before: now.plus_seconds(-UNITS),
        keys_answered_before: now.plus_seconds(-REMEMBERED_SECONDS).plus_seconds(-MARGIN),
        notifications_before: now.plus_seconds(-NOTIFICATIONS),
        unverified_before: now.plus_seconds(-UNVERIFIED),
        deliveries_ended_before: now.plus_seconds(-DELIVERIES),
        never_sent_before: now.plus_seconds(-NEVER_SENT),
    };
    let deleted = app.inner().maintenance.clean_up(&old, ROWS).await?;
    if deleted > 0 {
        metrics::counter!("oncharge_cleaned_up_rows_total").increment(deleted);
        info!(deleted, "cleaned up");
    }
    Ok(usize::try_from(ended.saturating_add(deleted)).unwrap_or(usize::MAX))
}
