//! Queue depths.

use diesel::{
    dsl::{count_star, min},
    prelude::*,
};
use oncharge_domain::time::Timestamp;
use oncharge_ports::{
    StoreError,
    inbox::NotificationStatus,
    work_queue::{QueueDepth, QueueName},
};
use oncharge_store_rows::{
    Bind,
    schema::{deliveries, operations, psp_notifications, sessions},
};

use crate::{error, store::SqliteStore};

pub(super) fn depths(store: &SqliteStore, now: Timestamp) -> Result<Vec<QueueDepth>, StoreError> {
    store.read(|connection| {
        let depth = |queue: &QueueName| {
            let found = depth_of(connection, *queue, now);
            let (depth, oldest) = found.map_err(error::store)?;
            Ok(QueueDepth {
                queue: *queue,
                depth: depth.unsigned_abs(),
                oldest,
            })
        };
        QueueName::ALL.iter().map(depth).collect()
    })
}

fn depth_of(
    connection: &mut SqliteConnection,
    queue: QueueName,
    now: Timestamp,
) -> QueryResult<(i64, Option<Timestamp>)> {
    match queue {
        QueueName::Operations => operations::table
            .filter(operations::next_try_at.is_not_null())
            .select((count_star(), min(operations::created_at)))
            .get_result(connection),
        QueueName::Deadlines => sessions::table
            .filter(sessions::due_at.le(Bind(now)))
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
