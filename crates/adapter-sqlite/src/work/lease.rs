//! Leases: the same columns in each work table, timed by the database's clock.

use diesel::{prelude::*, sql_query, sql_types::BigInt};
use oncharge_domain::time::Timestamp;
use oncharge_ports::unit_of_work::{Lease, LeasedItem};
use oncharge_store_rows::sql_types::{Id, Instant};
use uuid::Uuid;

use crate::{clock::CLOCK, returning::ids};

/// A table with leases.
pub(super) struct WorkTable {
    pub(super) table: &'static str,
    /// The column of the item's id.
    pub(super) id: &'static str,
    /// The column of the due time; NULL if the item is not in the queue.
    pub(super) due: &'static str,
    /// Whether it has a column `tries` that counts claims.
    pub(super) counts_tries: bool,
    /// The due time of an item that is released until `?1`: a finished item is not in the queue,
    /// and a worker must not move a session's deadline.
    due_after_release: &'static str,
}

pub(super) static OPERATIONS: WorkTable = WorkTable {
    table: "operations",
    id: "id",
    due: "next_try_at",
    counts_tries: true,
    due_after_release: "iif(next_try_at IS NULL, NULL, ?1)",
};

pub(super) static SESSIONS: WorkTable = WorkTable {
    table: "sessions",
    id: "id",
    due: "due_at",
    counts_tries: false,
    due_after_release: "iif(?1 IS NULL, NULL, due_at)",
};

pub(super) static NOTIFICATIONS: WorkTable = WorkTable {
    table: "psp_notifications",
    id: "id",
    due: "next_try_at",
    counts_tries: true,
    due_after_release: "iif(next_try_at IS NULL, NULL, ?1)",
};

pub(super) static DELIVERIES: WorkTable = WorkTable {
    table: "deliveries",
    id: "event_id",
    due: "next_try_at",
    counts_tries: false,
    due_after_release: "iif(next_try_at IS NULL, NULL, ?1)",
};

/// The table and the id of an item.
fn locate(item: LeasedItem) -> (&'static WorkTable, Uuid) {
    match item {
        LeasedItem::Operation(id) => (&OPERATIONS, id.uuid()),
        LeasedItem::Session(id) => (&SESSIONS, id.uuid()),
        LeasedItem::Notification(id) => (&NOTIFICATIONS, id.uuid()),
        LeasedItem::Delivery(id) => (&DELIVERIES, id.uuid()),
    }
}

/// Whether a lease is held; called inside a unit's transaction.
pub(crate) fn is_held(connection: &mut SqliteConnection, lease: Lease) -> QueryResult<bool> {
    let (WorkTable { table, id, .. }, row) = locate(lease.item);
    let held = sql_query(format!(
        "SELECT {id} AS id FROM {table} \
         WHERE {id} = ? AND lease_token = ? AND leased_until > {CLOCK}"
    ))
    .bind::<Id, _>(row)
    .bind::<Id, _>(lease.token);
    Ok(!ids(connection, held)?.is_empty())
}

/// Renews a lease that is held: it ends this many microseconds from now. `false` if it is lost.
pub(super) fn renew(
    connection: &mut SqliteConnection,
    lease: Lease,
    length: i64,
) -> QueryResult<bool> {
    let (WorkTable { table, id, .. }, row) = locate(lease.item);
    let renew = sql_query(format!(
        "UPDATE {table} SET leased_until = {CLOCK} + ? \
         WHERE {id} = ? AND lease_token = ? AND leased_until > {CLOCK} RETURNING {id} AS id"
    ))
    .bind::<BigInt, _>(length)
    .bind::<Id, _>(row)
    .bind::<Id, _>(lease.token);
    Ok(!ids(connection, renew)?.is_empty())
}

/// Releases an item whose lease is held; if it is in the queue, it is due again at this time.
pub(super) fn release(
    connection: &mut SqliteConnection,
    lease: Lease,
    next_try_at: Timestamp,
) -> QueryResult<()> {
    let (work, row) = locate(lease.item);
    let WorkTable { table, id, due, .. } = work;
    let release = sql_query(format!(
        "UPDATE {table} SET leased_until = NULL, lease_token = NULL, {due} = {next} \
         WHERE {id} = ?2 AND lease_token = ?3 AND leased_until > {CLOCK} RETURNING {id} AS id",
        next = work.due_after_release
    ))
    .bind::<Instant, _>(next_try_at)
    .bind::<Id, _>(row)
    .bind::<Id, _>(lease.token);
    ids(connection, release)?;
    Ok(())
}
