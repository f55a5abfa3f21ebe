//! Deletes rows past their retention period, and ends orphaned deliveries.

use std::mem;

use oncharge_domain::{idempotency::IDEMPOTENCY_RETENTION_SECONDS, time::Timestamp};
use oncharge_ports::maintenance::{ExpiringRows, TimeRange};
use tracing::info;

use crate::{App, Error};

/// The maximum number of rows of each kind deleted per pass, so that no statement takes long and no
/// kind delays another.
const BATCH: u32 = 200;
/// How much longer responses are stored than promised, in seconds, because nodes' clocks differ.
const CLOCK_MARGIN_SECONDS: i64 = 3600;
const DAY: i64 = 86_400;

/// The retention period, in seconds.
fn retention(rows: ExpiringRows) -> i64 {
    match rows {
        // Needed after an interrupted commit only, and no request or worker retries for longer than
        // minutes.
        ExpiringRows::SessionChanges => 3600,
        ExpiringRows::IdempotencyRecords => IDEMPOTENCY_RETENTION_SECONDS + CLOCK_MARGIN_SECONDS,
        // Kept as evidence.
        ExpiringRows::UnverifiedNotifications => 7 * DAY,
        ExpiringRows::HandledNotifications
        | ExpiringRows::IrrelevantNotifications
        | ExpiringRows::DismissedNotifications
        | ExpiringRows::Deliveries
        | ExpiringRows::NeverSentOperations
        | ExpiringRows::ApiKeys => 90 * DAY,
    }
}

/// Deletes expired rows in passes. Each pass deletes a limited number of rows of every kind and
/// continues where the previous one ended, so that the rows deleted before are not scanned again.
#[derive(Default)]
pub struct CleanUp {
    unfinished: Vec<Walk>,
}

/// The deletion of one kind of rows, oldest first.
struct Walk {
    rows: ExpiringRows,
    /// The time of the newest deleted row.
    from: Timestamp,
}

/// The result of a pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pass {
    /// How many deliveries were ended and rows deleted.
    pub count: usize,
    /// Whether more may be due now.
    pub has_more: bool,
}

impl CleanUp {
    /// Ends some orphaned deliveries, and deletes some rows of each unfinished kind.
    pub async fn pass(&mut self, app: &App) -> Result<Pass, Error> {
        let ended = app
            .inner()
            .store
            .webhooks
            .end_orphaned_deliveries(None)
            .await?;
        if ended > 0 {
            info!(ended, "ended deliveries without an enabled endpoint");
        }
        if self.unfinished.is_empty() {
            self.unfinished = ExpiringRows::ALL.into_iter().map(Walk::new).collect();
        }
        let mut deleted = 0;
        for walk in mem::take(&mut self.unfinished) {
            let (count, rest) = walk.step(app).await?;
            deleted += count;
            self.unfinished.extend(rest);
        }
        if deleted > 0 {
            metrics::counter!("oncharge_cleaned_up_rows_total").increment(deleted as u64);
            info!(deleted, "deleted expired rows");
        }
        Ok(Pass {
            count: usize::try_from(ended).unwrap_or(usize::MAX) + deleted,
            has_more: ended > 0 || !self.unfinished.is_empty(),
        })
    }
}

impl Walk {
    fn new(rows: ExpiringRows) -> Self {
        let from = Timestamp::UNIX_EPOCH;
        Self { rows, from }
    }

    /// Deletes some rows; returns how many, and the rest of the walk if there may be more.
    async fn step(self, app: &App) -> Result<(usize, Option<Self>), Error> {
        let range = TimeRange {
            from: self.from,
            before: app.now().plus_seconds(-retention(self.rows)),
        };
        let maintenance = &app.inner().store.maintenance;
        let deleted = maintenance.delete_expired(self.rows, range, BATCH).await?;
        let is_full = deleted.count >= BATCH as usize;
        let rest = deleted.last.filter(|_| is_full).map(|from| Self {
            rows: self.rows,
            from,
        });
        Ok((deleted.count, rest))
    }
}
