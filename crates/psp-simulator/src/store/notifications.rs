//! Rows of `notifications`: the outgoing queue.

use diesel::prelude::*;
use diesel::sqlite::Sqlite;

use super::schema::notifications;
use crate::codes::Face;

/// A notification to be enqueued.
#[derive(Clone, Debug, Insertable)]
#[diesel(table_name = notifications, check_for_backend(Sqlite))]
pub(crate) struct NewNotification {
    pub(crate) notification_id: String,
    pub(crate) psp_reference: String,
    pub(crate) face: Face,
    pub(crate) url: String,
    pub(crate) body: String,
    pub(crate) tries: i32,
    pub(crate) next_try_at: i64,
    pub(crate) held: bool,
}

/// A notification waiting for delivery.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = notifications, check_for_backend(Sqlite))]
pub(crate) struct PendingNotification {
    pub(crate) seq: i64,
    pub(crate) notification_id: String,
    pub(crate) psp_reference: String,
    pub(crate) face: Face,
    pub(crate) url: String,
    pub(crate) body: String,
    pub(crate) tries: i32,
    pub(crate) next_try_at: i64,
}

/// Enqueues a notification.
pub(crate) fn insert(
    connection: &mut SqliteConnection,
    notification: &NewNotification,
) -> QueryResult<()> {
    diesel::insert_into(notifications::table)
        .values(notification)
        .execute(connection)
        .map(drop)
}

/// The next notifications to send, soonest first, except those of the payments in `except`.
pub(crate) fn next(
    connection: &mut SqliteConnection,
    except: &[String],
    limit: i64,
) -> QueryResult<Vec<PendingNotification>> {
    notifications::table
        .filter(notifications::delivered_at.is_null())
        .filter(notifications::psp_reference.ne_all(except))
        .order((notifications::next_try_at.asc(), notifications::seq.asc()))
        .limit(limit)
        .select(PendingNotification::as_select())
        .load(connection)
}

/// Removes a notification from the queue after the receiver's 2xx.
pub(crate) fn mark_delivered(
    connection: &mut SqliteConnection,
    seq: i64,
    at: i64,
) -> QueryResult<()> {
    diesel::update(notifications::table.find(seq))
        .set(notifications::delivered_at.eq(at))
        .execute(connection)
        .map(drop)
}

/// Postpones a notification after a failed delivery.
pub(crate) fn reschedule(
    connection: &mut SqliteConnection,
    seq: i64,
    tries: i32,
    next_try_at: i64,
) -> QueryResult<()> {
    diesel::update(notifications::table.find(seq))
        .set((
            notifications::tries.eq(tries),
            notifications::next_try_at.eq(next_try_at),
            notifications::held.eq(false),
        ))
        .execute(connection)
        .map(drop)
}

/// Releases all notifications delayed by faults.
pub(crate) fn release_held(connection: &mut SqliteConnection, now: i64) -> QueryResult<()> {
    diesel::update(
        notifications::table
            .filter(notifications::held.eq(true))
            .filter(notifications::delivered_at.is_null()),
    )
    .set((
        notifications::held.eq(false),
        notifications::next_try_at.eq(now),
    ))
    .execute(connection)
    .map(drop)
}
