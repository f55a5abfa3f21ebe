//! Deletes rows past their retention period, in small batches.
//!
//! Each statement selects rows from a range of an index, oldest first. `?1` and `?2` are the range,
//! `?3` is the maximum number of rows to delete.

use diesel::{
    deserialize::QueryableByName,
    prelude::*,
    sql_query,
    sql_types::{BigInt, Text},
};
use oncharge_domain::{
    id::{Id, Kind, OperationId, UnitId},
    time::Timestamp,
};
use oncharge_ports::{
    StoreError,
    inbox::NotificationStatus,
    maintenance::{DeletedRows, ExpiringRows, TimeRange},
};
use oncharge_store_rows::sql_types::{self, Instant};

use crate::{error, store::SqliteStore, writer::Priority};

const SESSION_CHANGES: &str = "DELETE FROM session_changes WHERE unit_id IN ( \
     SELECT unit_id FROM session_changes WHERE unit_id >= ?1 AND unit_id < ?2 \
     ORDER BY unit_id LIMIT ?3 + 0) RETURNING unit_id AS id";

/// Records answered in the range, unless their operation is open.
const IDEMPOTENCY_RECORDS: &str = "DELETE FROM idempotency_keys WHERE rowid IN ( \
     SELECT record.rowid FROM idempotency_keys AS record \
     LEFT JOIN operations AS operation ON operation.id = record.operation_id \
     WHERE record.responded_at >= ?1 AND record.responded_at < ?2 \
     AND (operation.status IS NULL OR operation.status <> 'requested') \
     ORDER BY record.responded_at LIMIT ?3 + 0) RETURNING responded_at AS at";

/// Notifications with the status `?4`, a final status.
const NOTIFICATIONS: &str = "DELETE FROM psp_notifications WHERE rowid IN ( \
     SELECT rowid FROM psp_notifications \
     WHERE status = ?4 AND received_at >= ?1 AND received_at < ?2 \
     ORDER BY received_at LIMIT ?3 + 0) RETURNING received_at AS at";

/// The attempts of the deliveries that the next statement deletes, in the same order.
const ATTEMPTS: &str = "DELETE FROM delivery_attempts WHERE event_id IN ( \
     SELECT event_id FROM deliveries WHERE ended_at >= ?1 AND ended_at < ?2 \
     ORDER BY ended_at, rowid LIMIT ?3 + 0)";

const DELIVERIES: &str = "DELETE FROM deliveries WHERE rowid IN ( \
     SELECT rowid FROM deliveries WHERE ended_at >= ?1 AND ended_at < ?2 \
     ORDER BY ended_at, rowid LIMIT ?3 + 0) RETURNING ended_at AS at";

/// The first conditions are those of the partial index: operations outside it are kept permanently.
const NEVER_SENT_OPERATIONS: &str = "DELETE FROM operations WHERE rowid IN ( \
     SELECT rowid FROM operations INDEXED BY operations_never_sent \
     WHERE failure = 'never_sent' AND kind IN ('authorize', 'capture', 'cancel') \
     AND compensated = 0 AND contradiction IS NULL AND id >= ?1 AND id < ?2 \
     AND NOT EXISTS (SELECT 1 FROM idempotency_keys AS record \
         WHERE record.operation_id = operations.id AND record.responded_at IS NULL) \
     ORDER BY id LIMIT ?3 + 0) RETURNING id";

const API_KEYS: &str = "DELETE FROM api_keys WHERE rowid IN ( \
     SELECT rowid FROM api_keys WHERE ends_at >= ?1 AND ends_at < ?2 \
     ORDER BY ends_at LIMIT ?3 + 0) RETURNING ends_at AS at";

/// The timestamp of a deleted row.
#[derive(QueryableByName)]
struct DeletedAt {
    #[diesel(sql_type = Instant)]
    at: Timestamp,
}

/// The id of a deleted row; it begins with its timestamp.
#[derive(QueryableByName)]
struct DeletedId<K: Kind> {
    #[diesel(sql_type = sql_types::Id)]
    id: Id<K>,
}

/// Implements [`oncharge_ports::Maintenance::delete_expired`].
pub(crate) async fn delete_expired(
    store: &SqliteStore,
    rows: ExpiringRows,
    range: TimeRange,
    limit: u32,
) -> Result<DeletedRows, StoreError> {
    let batch = Batch { range, limit };
    let times = store.write(Priority::Worker, move |connection| {
        batch.delete(connection, rows).map_err(error::commit)
    });
    let times = times.await.map_err(error::into_store_error)?;
    Ok(DeletedRows::of(&times))
}

/// A statement's range and limit. The results are the timestamps of the deleted rows.
struct Batch {
    range: TimeRange,
    limit: u32,
}

impl Batch {
    fn delete(
        &self,
        connection: &mut SqliteConnection,
        rows: ExpiringRows,
    ) -> QueryResult<Vec<Timestamp>> {
        use NotificationStatus as Status;
        match rows {
            ExpiringRows::SessionChanges => {
                self.by_id(connection, SESSION_CHANGES, UnitId::first_at)
            }
            ExpiringRows::IdempotencyRecords => self.by_time(connection, IDEMPOTENCY_RECORDS),
            ExpiringRows::HandledNotifications => self.notifications(connection, Status::Handled),
            ExpiringRows::IrrelevantNotifications => {
                self.notifications(connection, Status::Irrelevant)
            }
            ExpiringRows::DismissedNotifications => {
                self.notifications(connection, Status::Dismissed)
            }
            ExpiringRows::UnverifiedNotifications => {
                self.notifications(connection, Status::Unverified)
            }
            ExpiringRows::Deliveries => {
                self.by_time(connection, ATTEMPTS)?;
                self.by_time(connection, DELIVERIES)
            }
            ExpiringRows::NeverSentOperations => {
                self.by_id(connection, NEVER_SENT_OPERATIONS, OperationId::first_at)
            }
            ExpiringRows::ApiKeys => self.by_time(connection, API_KEYS),
        }
    }

    fn by_id<K: Kind + 'static>(
        &self,
        connection: &mut SqliteConnection,
        statement: &str,
        first_at: fn(Timestamp) -> Id<K>,
    ) -> QueryResult<Vec<Timestamp>> {
        let rows: Vec<DeletedId<K>> = sql_query(statement)
            .bind::<sql_types::Id, _>(first_at(self.range.from))
            .bind::<sql_types::Id, _>(first_at(self.range.before))
            .bind::<BigInt, _>(i64::from(self.limit))
            .load(connection)?;
        Ok(rows.iter().map(|row| row.id.made_at()).collect())
    }

    fn by_time(
        &self,
        connection: &mut SqliteConnection,
        statement: &str,
    ) -> QueryResult<Vec<Timestamp>> {
        let rows: Vec<DeletedAt> = sql_query(statement)
            .bind::<Instant, _>(self.range.from)
            .bind::<Instant, _>(self.range.before)
            .bind::<BigInt, _>(i64::from(self.limit))
            .load(connection)?;
        Ok(times(&rows))
    }

    fn notifications(
        &self,
        connection: &mut SqliteConnection,
        status: NotificationStatus,
    ) -> QueryResult<Vec<Timestamp>> {
        let rows: Vec<DeletedAt> = sql_query(NOTIFICATIONS)
            .bind::<Instant, _>(self.range.from)
            .bind::<Instant, _>(self.range.before)
            .bind::<BigInt, _>(i64::from(self.limit))
            .bind::<Text, _>(status.name())
            .load(connection)?;
        Ok(times(&rows))
    }
}

fn times(rows: &[DeletedAt]) -> Vec<Timestamp> {
    rows.iter().map(|row| row.at).collect()
}
