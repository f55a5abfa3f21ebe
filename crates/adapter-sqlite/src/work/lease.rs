//! Leases: the same four columns in each table of work, timed by the database's own clock.

use diesel::{
    prelude::*,
    sql_query,
    sql_types::{BigInt, Binary},
};
use oncharge_ports::unit_of_work::{Lease, LeasedItem};

use crate::{prepared::Prepared, rows::id_bytes};

/// The database's clock as an expression, in microseconds since 1970: all processes on the file
/// agree on it.
pub(crate) const CLOCK: &str = "CAST(unixepoch('subsec') * 1000000 AS INTEGER)";

/// A table of work.
pub(super) struct WorkTable {
    pub(super) table: &'static str,
    /// The column of the item's id.
    pub(super) id: &'static str,
    /// The column of the time when it is due; NULL where it is not in the queue.
    pub(super) due: &'static str,
    /// Whether it has a column `tries`, in which its claims are counted.
    pub(super) counts_tries: bool,
    /// When an item is due that is given back until `?1`: what is over is in the queue no more,
    /// and a session's deadline is not the worker's to move.
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

/// Where an item is, and its id there.
fn locate(item: LeasedItem) -> (&'static WorkTable, Vec<u8>) {
    match item {
        LeasedItem::Operation(id) => (&OPERATIONS, id_bytes(id)),
        LeasedItem::Session(id) => (&SESSIONS, id_bytes(id)),
        LeasedItem::Notification(id) => (&NOTIFICATIONS, id_bytes(id)),
        LeasedItem::Delivery(id) => (&DELIVERIES, id_bytes(id)),
    }
}

/// Whether a lease still holds; inside a unit's transaction.
pub(crate) fn is_held(connection: &mut SqliteConnection, lease: Lease) -> QueryResult<bool> {
    let (WorkTable { table, id, .. }, row) = locate(lease.item);
    let held = sql_query(format!(
        "SELECT {id} AS id FROM {table} \
         WHERE {id} = ? AND lease_token = ? AND leased_until > {CLOCK}"
    ))
    .bind::<Binary, _>(row)
    .bind::<Binary, _>(id_bytes(lease.token));
    Ok(!Prepared(held).ids(connection)?.is_empty())
}

/// Lengthens a lease that holds: it ends so many microseconds from now. `false` where it is lost.
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
    .bind::<Binary, _>(row)
    .bind::<Binary, _>(id_bytes(lease.token));
    Ok(!Prepared(renew).ids(connection)?.is_empty())
}

/// Gives an item back whose lease holds; what is in the queue is due again at this time.
pub(super) fn release(
    connection: &mut SqliteConnection,
    lease: Lease,
    next_try_at: i64,
) -> QueryResult<()> {
    let (work, row) = locate(lease.item);
    let WorkTable { table, id, due, .. } = work;
    let release = sql_query(format!(
        "UPDATE {table} SET leased_until = NULL, lease_token = NULL, {due} = {next} \
         WHERE {id} = ?2 AND lease_token = ?3 AND leased_until > {CLOCK} RETURNING {id} AS id",
        next = work.due_after_release
    ))
    .bind::<BigInt, _>(next_try_at)
    .bind::<Binary, _>(row)
    .bind::<Binary, _>(id_bytes(lease.token));
    Prepared(release).ids(connection)?;
    Ok(())
}
