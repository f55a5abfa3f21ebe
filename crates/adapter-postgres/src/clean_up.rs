//! Deletes rows that are no longer needed, in small batches. Each statement finds its rows by the
//! start of an index and deletes them by primary key.

use diesel::{
    pg::Pg,
    query_builder::QueryFragment,
    sql_query,
    sql_types::{BigInt, Timestamptz, Uuid as SqlUuid},
};
use oncharge_domain::{
    id::{OperationId, UnitId},
    time::Timestamp,
};
use oncharge_ports::{StoreError, maintenance::Old};

use crate::{
    rows::{at, unfit},
    store::PostgresStore,
};

/// Ids begin with their time of creation.
const SESSION_CHANGES: &str = "
DELETE FROM session_changes WHERE unit_id = ANY (ARRAY(
    SELECT unit_id FROM session_changes WHERE unit_id < $1 ORDER BY unit_id LIMIT $2))";

/// Records that were answered before, but for those whose operation is open. The condition stands
/// twice: a record that is taken anew meanwhile is looked at again, by the outer one alone.
const KEYS: &str = "
DELETE FROM idempotency_keys WHERE answered_at < $1 AND (merchant_id, key) IN (
    SELECT idempotency_keys.merchant_id, key FROM idempotency_keys
    LEFT JOIN operations ON operations.id = operation_id
    WHERE answered_at < $1 AND operations.status IS DISTINCT FROM 'requested'
    ORDER BY answered_at LIMIT $2)";

/// Notifications that have come to an end of this kind; none ever leaves it.
const NOTIFICATIONS: &str = "
DELETE FROM psp_notifications WHERE id = ANY (ARRAY(
    SELECT id FROM psp_notifications
    WHERE status IN ('handled', 'irrelevant', 'dismissed') AND received_at < $1 LIMIT $2))";

const UNVERIFIED: &str = "
DELETE FROM psp_notifications WHERE id = ANY (ARRAY(
    SELECT id FROM psp_notifications
    WHERE status = 'unverified' AND received_at < $1 ORDER BY received_at LIMIT $2))";

/// The rows are locked before anything is deleted, so that a redelivery either comes before and
/// keeps its row, or after and makes a new one. An attempt is recorded under the same lock.
const DELIVERIES: &str = "
WITH ended AS MATERIALIZED (
    SELECT event_id FROM deliveries WHERE ended_at < $1
    ORDER BY ended_at LIMIT $2 FOR UPDATE SKIP LOCKED
), attempts AS (
    DELETE FROM delivery_attempts WHERE event_id = ANY (ARRAY(SELECT event_id FROM ended))
)
DELETE FROM deliveries WHERE event_id = ANY (ARRAY(SELECT event_id FROM ended))";

/// The first conditions are those of the index: what it leaves out is needed for good.
const NEVER_SENT: &str = "
DELETE FROM operations WHERE id = ANY (ARRAY(
    SELECT id FROM operations
    WHERE failure = 'never_sent' AND kind IN ('authorize', 'capture', 'cancel')
        AND NOT compensated AND contradiction IS NULL AND id < $1
        AND NOT EXISTS (SELECT FROM idempotency_keys
            WHERE operation_id = operations.id AND answered_at IS NULL)
    ORDER BY id LIMIT $2))";

/// How many rows were deleted and how many more may be.
struct Budget<'a> {
    store: &'a PostgresStore,
    deleted: u64,
    left: i64,
}

/// As [`oncharge_ports::Maintenance::clean_up`] says.
pub(crate) async fn clean_up(
    store: &PostgresStore,
    old: &Old,
    limit: u32,
) -> Result<u64, StoreError> {
    let mut budget = Budget {
        store,
        deleted: 0,
        left: i64::from(limit),
    };
    let units = UnitId::first_at(old.units_before).uuid();
    let operations = OperationId::first_at(old.never_sent_before).uuid();
    let by_time = |statement, before: Timestamp| {
        move |limit| {
            sql_query(statement)
                .bind::<Timestamptz, _>(at(before))
                .bind::<BigInt, _>(limit)
        }
    };
    let by_id = |statement, before| {
        move |limit| {
            sql_query(statement)
                .bind::<SqlUuid, _>(before)
                .bind::<BigInt, _>(limit)
        }
    };
    budget
        .delete(by_time(KEYS, old.keys_answered_before))
        .await?;
    budget.delete(by_id(SESSION_CHANGES, units)).await?;
    for (statement, before) in [
        (NOTIFICATIONS, old.notifications_before),
        (UNVERIFIED, old.unverified_before),
        (DELIVERIES, old.deliveries_ended_before),
    ] {
        budget.delete(by_time(statement, before)).await?;
    }
    budget.delete(by_id(NEVER_SENT, operations)).await?;
    Ok(budget.deleted)
}

impl Budget<'_> {
    /// Runs a statement that deletes at most as many rows as are left, unless none are.
    async fn delete<S>(&mut self, statement: impl FnOnce(i64) -> S) -> Result<(), StoreError>
    where
        S: QueryFragment<Pg> + Send,
    {
        if self.left > 0 {
            let deleted = self.store.write(statement(self.left)).await?;
            self.deleted += u64::try_from(deleted).map_err(unfit)?;
            self.left -= i64::try_from(deleted).map_err(unfit)?;
        }
        Ok(())
    }
}
