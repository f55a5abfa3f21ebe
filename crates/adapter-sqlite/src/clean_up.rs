//! What need not be kept is deleted, some rows at a time.

use diesel::{prelude::*, sql_query, sql_types::BigInt};
use oncharge_ports::{StoreError, maintenance::Old};

use crate::{error, store::SqliteStore, writer::Lane};

/// How many rows go in one transaction, so that requests get their turn between.
const BATCH: u32 = 200;

/// Answered records, but those whose operation is open.
const KEYS: &str = "DELETE FROM idempotency_keys WHERE rowid IN ( \
     SELECT record.rowid FROM idempotency_keys AS record \
     LEFT JOIN operations AS operation ON operation.id = record.operation_id \
     WHERE record.answered_at < ? \
     AND (operation.status IS NULL OR operation.status <> 'requested') LIMIT ? + 0)";

/// Notifications that are over.
const NOTIFICATIONS: &str = "DELETE FROM psp_notifications WHERE rowid IN ( \
     SELECT rowid FROM psp_notifications \
     WHERE status IN ('handled', 'irrelevant', 'dismissed') AND received_at < ? LIMIT ? + 0)";

const UNVERIFIED: &str = "DELETE FROM psp_notifications WHERE rowid IN ( \
     SELECT rowid FROM psp_notifications \
     WHERE status = 'unverified' AND received_at < ? LIMIT ? + 0)";

/// Deletes what is old, at most so many rows in all; returns how many.
pub(crate) async fn clean_up(
    store: &SqliteStore,
    old: &Old,
    limit: u32,
) -> Result<u64, StoreError> {
    let mut left = limit;
    for (statement, before) in [
        (KEYS, old.keys_answered_before),
        (NOTIFICATIONS, old.notifications_before),
        (UNVERIFIED, old.unverified_before),
    ] {
        while left > 0 {
            let batch = left.min(BATCH);
            let deleted = store.write(Lane::Worker, move |connection| {
                sql_query(statement)
                    .bind::<BigInt, _>(before.unix_micros())
                    .bind::<BigInt, _>(i64::from(batch))
                    .execute(connection)
                    .map_err(error::commit)
            });
            let deleted = deleted.await.map_err(error::outside_a_unit)?;
            let deleted = u32::try_from(deleted).unwrap_or(batch);
            left = left.saturating_sub(deleted);
            if deleted < batch {
                break;
            }
        }
    }
    Ok(limit.saturating_sub(left).into())
}
