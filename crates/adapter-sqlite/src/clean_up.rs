//! Deletes rows that are no longer needed, in small batches. Each statement finds its rows by the
//! start of an index.

use diesel::{
    prelude::*,
    sql_query,
    sql_types::{BigInt, Binary},
};
use oncharge_domain::{
    id::{OperationId, UnitId},
    time::Timestamp,
};
use oncharge_ports::{StoreError, maintenance::Old};

use crate::{error, rows::id_bytes, store::SqliteStore, writer::Lane};

/// How many rows go in one transaction, so that requests get their turn between.
const BATCH: u32 = 200;

/// Ids begin with their time of creation.
const SESSION_CHANGES: &str = "DELETE FROM session_changes WHERE unit_id IN ( \
     SELECT unit_id FROM session_changes WHERE unit_id < ?1 ORDER BY unit_id LIMIT ?2 + 0)";

/// Answered records, but those whose operation is open.
const KEYS: &str = "DELETE FROM idempotency_keys WHERE rowid IN ( \
     SELECT record.rowid FROM idempotency_keys AS record \
     LEFT JOIN operations AS operation ON operation.id = record.operation_id \
     WHERE record.answered_at < ?1 \
     AND (operation.status IS NULL OR operation.status <> 'requested') LIMIT ?2 + 0)";

/// Notifications that are over.
const NOTIFICATIONS: &str = "DELETE FROM psp_notifications WHERE rowid IN ( \
     SELECT rowid FROM psp_notifications \
     WHERE status IN ('handled', 'irrelevant', 'dismissed') AND received_at < ?1 LIMIT ?2 + 0)";

const UNVERIFIED: &str = "DELETE FROM psp_notifications WHERE rowid IN ( \
     SELECT rowid FROM psp_notifications \
     WHERE status = 'unverified' AND received_at < ?1 LIMIT ?2 + 0)";

/// The attempts of the deliveries that the next statement deletes, in the same order.
const ATTEMPTS: &str = "DELETE FROM delivery_attempts WHERE event_id IN ( \
     SELECT event_id FROM deliveries WHERE ended_at < ?1 ORDER BY ended_at, rowid LIMIT ?2 + 0)";

const DELIVERIES: &str = "DELETE FROM deliveries WHERE rowid IN ( \
     SELECT rowid FROM deliveries WHERE ended_at < ?1 ORDER BY ended_at, rowid LIMIT ?2 + 0)";

/// The first conditions are those of the index: what it leaves out is needed for good.
const NEVER_SENT: &str = "DELETE FROM operations WHERE rowid IN ( \
     SELECT rowid FROM operations INDEXED BY operations_never_sent \
     WHERE failure = 'never_sent' AND kind IN ('authorize', 'capture', 'cancel') \
     AND compensated = 0 AND contradiction IS NULL AND id < ?1 \
     AND NOT EXISTS (SELECT 1 FROM idempotency_keys AS record \
         WHERE record.operation_id = operations.id AND record.answered_at IS NULL) \
     ORDER BY id LIMIT ?2 + 0)";

/// Rows of one kind that are old: statements of one transaction, the last of which is counted.
#[derive(Clone)]
struct Deletion {
    statements: &'static [&'static str],
    before: Bound,
}

/// From where on rows stay.
#[derive(Clone)]
enum Bound {
    Time(i64),
    Id(Vec<u8>),
}

impl Deletion {
    fn by_time(statements: &'static [&'static str], before: Timestamp) -> Self {
        Self {
            statements,
            before: Bound::Time(before.unix_micros()),
        }
    }

    fn by_id(statements: &'static [&'static str], before: Vec<u8>) -> Self {
        Self {
            statements,
            before: Bound::Id(before),
        }
    }

    /// Deletes at most so many, inside a transaction that the caller ends; returns how many.
    fn run(self, connection: &mut SqliteConnection, limit: u32) -> QueryResult<usize> {
        let mut deleted = 0;
        for statement in self.statements {
            let (statement, limit) = (sql_query(*statement), i64::from(limit));
            deleted = match &self.before {
                Bound::Time(time) => statement
                    .bind::<BigInt, _>(*time)
                    .bind::<BigInt, _>(limit)
                    .execute(connection)?,
                Bound::Id(id) => statement
                    .bind::<Binary, _>(id.as_slice())
                    .bind::<BigInt, _>(limit)
                    .execute(connection)?,
            };
        }
        Ok(deleted)
    }
}

/// As [`oncharge_ports::Maintenance::clean_up`] says.
pub(crate) async fn clean_up(
    store: &SqliteStore,
    old: &Old,
    limit: u32,
) -> Result<u64, StoreError> {
    let units = id_bytes(UnitId::first_at(old.units_before));
    let operations = id_bytes(OperationId::first_at(old.never_sent_before));
    let mut left = limit;
    for deletion in [
        Deletion::by_time(&[KEYS], old.keys_answered_before),
        Deletion::by_id(&[SESSION_CHANGES], units),
        Deletion::by_time(&[NOTIFICATIONS], old.notifications_before),
        Deletion::by_time(&[UNVERIFIED], old.unverified_before),
        Deletion::by_time(&[ATTEMPTS, DELIVERIES], old.deliveries_ended_before),
        Deletion::by_id(&[NEVER_SENT], operations),
    ] {
        while left > 0 {
            let (batch, deletion) = (left.min(BATCH), deletion.clone());
            let deleted = store.write(Lane::Worker, move |connection| {
                deletion.run(connection, batch).map_err(error::commit)
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
