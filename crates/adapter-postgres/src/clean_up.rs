//! Deletes rows past their retention period, in small batches.
//!
//! Each statement selects rows from a range of an index, oldest first, and deletes them by primary
//! key. Deleted rows stay in the index until the next vacuum; the range leaves them out.
//!
//! $1 and $2 are the range, $3 is the maximum number of rows to delete.

use diesel::{
    deserialize::QueryableByName,
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

use crate::store::PostgresStore;

const SESSION_CHANGES: &str = "
DELETE FROM session_changes WHERE unit_id = ANY (ARRAY(
    SELECT unit_id FROM session_changes WHERE unit_id >= $1 AND unit_id < $2
    ORDER BY unit_id LIMIT $3))
RETURNING unit_id AS id";

/// Records answered in the range, unless their operation is open. The condition is repeated in the
/// outer statement because only that one is re-evaluated for a record that was taken again
/// concurrently.
const IDEMPOTENCY_RECORDS: &str = "
DELETE FROM idempotency_keys WHERE responded_at < $2 AND (merchant_id, key) IN (
    SELECT idempotency_keys.merchant_id, key FROM idempotency_keys
    LEFT JOIN operations ON operations.id = operation_id
    WHERE responded_at >= $1 AND responded_at < $2 AND operations.status IS DISTINCT FROM 'requested'
    ORDER BY responded_at LIMIT $3)
RETURNING responded_at AS at";

/// Notifications with the status $4, a final status.
const NOTIFICATIONS: &str = "
DELETE FROM psp_notifications WHERE id = ANY (ARRAY(
    SELECT id FROM psp_notifications
    WHERE status = $4 AND received_at >= $1 AND received_at < $2 ORDER BY received_at LIMIT $3))
RETURNING received_at AS at";

/// The rows are locked before anything is deleted, so that a redelivery either comes first and
/// keeps its row, or comes later and inserts a new one. An attempt is recorded under the same lock.
const DELIVERIES: &str = "
WITH ended AS MATERIALIZED (
    SELECT event_id FROM deliveries WHERE ended_at >= $1 AND ended_at < $2
    ORDER BY ended_at LIMIT $3 FOR UPDATE SKIP LOCKED
), attempts AS (
    DELETE FROM delivery_attempts WHERE event_id = ANY (ARRAY(SELECT event_id FROM ended))
)
DELETE FROM deliveries WHERE event_id = ANY (ARRAY(SELECT event_id FROM ended))
RETURNING ended_at AS at";

/// The first conditions are those of the partial index: operations outside it are kept permanently.
const NEVER_SENT_OPERATIONS: &str = "
DELETE FROM operations WHERE id = ANY (ARRAY(
    SELECT id FROM operations
    WHERE failure = 'never_sent' AND kind IN ('authorize', 'capture', 'cancel')
        AND NOT compensated AND contradiction IS NULL AND id >= $1 AND id < $2
        AND NOT EXISTS (SELECT FROM idempotency_keys
            WHERE operation_id = operations.id AND responded_at IS NULL)
    ORDER BY id LIMIT $3))
RETURNING id";

const API_KEYS: &str = "
DELETE FROM api_keys WHERE id = ANY (ARRAY(
    SELECT id FROM api_keys WHERE ends_at >= $1 AND ends_at < $2
    ORDER BY ends_at LIMIT $3))
RETURNING ends_at AS at";

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
    store: &PostgresStore,
    rows: ExpiringRows,
    range: TimeRange,
    limit: u32,
) -> Result<DeletedRows, StoreError> {
    use NotificationStatus as Status;
    let batch = Batch {
        store,
        range,
        limit,
    };
    match rows {
        ExpiringRows::SessionChanges => batch.by_id(SESSION_CHANGES, UnitId::first_at).await,
        ExpiringRows::IdempotencyRecords => batch.by_time(IDEMPOTENCY_RECORDS).await,
        ExpiringRows::HandledNotifications => batch.notifications(Status::Handled).await,
        ExpiringRows::IrrelevantNotifications => batch.notifications(Status::Irrelevant).await,
        ExpiringRows::DismissedNotifications => batch.notifications(Status::Dismissed).await,
        ExpiringRows::UnverifiedNotifications => batch.notifications(Status::Unverified).await,
        ExpiringRows::Deliveries => batch.by_time(DELIVERIES).await,
        ExpiringRows::NeverSentOperations => {
            let first_at = OperationId::first_at;
            batch.by_id(NEVER_SENT_OPERATIONS, first_at).await
        }
        ExpiringRows::ApiKeys => batch.by_time(API_KEYS).await,
    }
}

/// A statement's range and limit.
struct Batch<'a> {
    store: &'a PostgresStore,
    range: TimeRange,
    limit: u32,
}

impl Batch<'_> {
    async fn by_id<K: Kind + 'static>(
        &self,
        statement: &str,
        first_at: fn(Timestamp) -> Id<K>,
    ) -> Result<DeletedRows, StoreError> {
        let statement = sql_query(statement)
            .bind::<sql_types::Id, _>(first_at(self.range.from))
            .bind::<sql_types::Id, _>(first_at(self.range.before))
            .bind::<BigInt, _>(i64::from(self.limit));
        let rows: Vec<DeletedId<K>> = self.store.write_returning(statement).await?;
        let times = rows.iter().map(|row| row.id.made_at());
        Ok(DeletedRows::of(&times.collect::<Vec<_>>()))
    }

    async fn by_time(&self, statement: &str) -> Result<DeletedRows, StoreError> {
        let statement = sql_query(statement)
            .bind::<Instant, _>(self.range.from)
            .bind::<Instant, _>(self.range.before)
            .bind::<BigInt, _>(i64::from(self.limit));
        Ok(deleted_at(&self.store.write_returning(statement).await?))
    }

    async fn notifications(&self, status: NotificationStatus) -> Result<DeletedRows, StoreError> {
        let statement = sql_query(NOTIFICATIONS)
            .bind::<Instant, _>(self.range.from)
            .bind::<Instant, _>(self.range.before)
            .bind::<BigInt, _>(i64::from(self.limit))
            .bind::<Text, _>(status.name());
        Ok(deleted_at(&self.store.write_returning(statement).await?))
    }
}

fn deleted_at(rows: &[DeletedAt]) -> DeletedRows {
    let times: Vec<Timestamp> = rows.iter().map(|row| row.at).collect();
    DeletedRows::of(&times)
}
