//! How much waits in each queue.

use diesel::{
    dsl::{count_star, min},
    prelude::*,
};
use oncharge_ports::{
    StoreError,
    inbox::NotificationStatus,
    work_queue::{Queue, QueueDepth},
};

use crate::{
    error,
    rows::Cells,
    schema::{deliveries, operations, psp_notifications, sessions},
};

/// Each queue's depth at this time.
pub(super) fn all(
    connection: &mut SqliteConnection,
    now: i64,
) -> Result<Vec<QueueDepth>, StoreError> {
    let depth = |queue: &Queue| {
        let found = one(connection, *queue, now);
        let (depth, oldest): (i64, Option<i64>) = found.map_err(error::store)?;
        let cells = Cells::of(queue.name(), b"all");
        Ok(QueueDepth {
            queue: *queue,
            depth: depth.unsigned_abs(),
            oldest: cells.optional_time("oldest", oldest)?,
        })
    };
    Queue::ALL.iter().map(depth).collect()
}

fn one(
    connection: &mut SqliteConnection,
    queue: Queue,
    now: i64,
) -> QueryResult<(i64, Option<i64>)> {
    match queue {
        Queue::Operations => operations::table
            .filter(operations::next_try_at.is_not_null())
            .select((count_star(), min(operations::created_at)))
            .get_result(connection),
        Queue::Deadlines => sessions::table
            .filter(sessions::due_at.le(now))
            .select((count_star(), min(sessions::due_at)))
            .get_result(connection),
        Queue::Inbox => psp_notifications::table
            .filter(psp_notifications::status.eq(NotificationStatus::Waiting.name()))
            .select((count_star(), min(psp_notifications::received_at)))
            .get_result(connection),
        Queue::Deliveries => deliveries::table
            .filter(deliveries::next_try_at.is_not_null())
            .select((count_star(), min(deliveries::created_at)))
            .get_result(connection),
    }
}
