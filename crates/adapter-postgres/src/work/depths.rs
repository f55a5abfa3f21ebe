//! Queue depths, in one round trip.

use diesel::{
    prelude::*,
    sql_query,
    sql_types::{BigInt, Nullable, Text},
};
use oncharge_domain::time::Timestamp;
use oncharge_ports::{
    StoreError,
    work_queue::{QueueDepth, QueueName},
};
use oncharge_store_rows::{prepared::Prepared, sql_types::Instant};

use crate::{error::conversion_error, store::PostgresStore};

const DEPTHS: &str = "
SELECT 'operations' AS queue, count(*) AS depth, min(created_at) AS oldest
    FROM operations WHERE next_try_at IS NOT NULL
UNION ALL SELECT 'deadlines', count(*), min(due_at) FROM sessions WHERE due_at <= $1
UNION ALL SELECT 'inbox', count(*), min(received_at)
    FROM psp_notifications WHERE status = 'waiting'
UNION ALL SELECT 'deliveries', count(*), min(created_at)
    FROM deliveries WHERE next_try_at IS NOT NULL";

#[derive(QueryableByName)]
struct DepthRow {
    #[diesel(sql_type = Text)]
    queue: String,
    #[diesel(sql_type = BigInt)]
    depth: i64,
    #[diesel(sql_type = Nullable<Instant>)]
    oldest: Option<Timestamp>,
}

pub(super) async fn depths(
    store: &PostgresStore,
    now: Timestamp,
) -> Result<Vec<QueueDepth>, StoreError> {
    let query = sql_query(DEPTHS).bind::<Instant, _>(now);
    let rows: Vec<DepthRow> = store.read(Prepared(query)).await?;
    let of = |queue: &QueueName| {
        let row = rows.iter().find(|row| row.queue == queue.name());
        let row = row.ok_or_else(|| StoreError::Failed("a queue has no row".into()))?;
        Ok(QueueDepth {
            queue: *queue,
            depth: row.depth.try_into().map_err(conversion_error)?,
            oldest: row.oldest,
        })
    };
    QueueName::ALL.iter().map(of).collect()
}
