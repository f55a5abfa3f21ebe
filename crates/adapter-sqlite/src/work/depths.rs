//! Queue depths.

use diesel::{
    dsl::{count_star, min},
    prelude::*,
};
use oncharge_ports::{
    StoreError,
    inbox::NotificationStatus,
    work_queue::{QueueDepth, QueueName},
};

use crate::{
    error,
    rows::RowReader,
    schema::{deliveries, operations, psp_notifications, sessions},
};

pub(super) fn depths(
    connection: &mut SqliteConnection,
    now: i64,
) -> Result<Vec<QueueDepth>, StoreError> {
    let depth = |queue: &QueueName| {
        let found = depth_of(connection, *queue, now);
        let (depth, oldest): (i64, Option<i64>) = found.map_err(error::store)?;
        let reader = RowReader::of(queue.name(), b"all");
        Ok(QueueDepth {
            queue: *queue,
            depth: depth.unsigned_abs(),
            oldest: reader.optional_time("oldest", oldest)?,
        })
    };
    QueueName::ALL.iter().map(depth).collect()
}

fn depth_of(
    connection: &mut SqliteConnection,
    queue: QueueName,
    now: i64,
) -> QueryResult<(i64, Option<i64>)> {
    match queue {
        QueueName::Operations => operations::table
            .filter(operations::next_try_at.is_not_null())
            .select((count_star(), min(operations::created_at)))
            .get_result(connection),
        QueueName::Deadlines => sessions::table
            .filter(sessions::due_at.le(now))
            .select((count_star(), min(sessions::due_at)))
            .get_result(connection),
        QueueName::Inbox => psp_notifications::table
            .filter(psp_notifications::status.eq(NotificationStatus::Waiting.name()))
            .select((count_star(), min(psp_notifications::received_at)))
            .get_result(connection),
        QueueName::Deliveries => deliveries::table
            .filter(deliveries::next_try_at.is_not_null())
            .select((count_star(), min(deliveries::created_at)))
            .get_result(connection),
    }
}
