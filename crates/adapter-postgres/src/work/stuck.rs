//! Work that needs a person, in one round trip.

use diesel::{
    prelude::*,
    sql_query,
    sql_types::{BigInt, Text},
};
use oncharge_domain::time::Timestamp;
use oncharge_ports::{
    StoreError,
    work_queue::{StuckItem, StuckKind},
};
use oncharge_store_rows::{prepared::Prepared, rows::stuck::StuckRow, sql_types::Instant};

use crate::store::PostgresStore;

/// `$1` to `$5` and `$7` are the limits of the time budgets, in the order of [`BUDGETED`]: work
/// that began before them is stuck. `$6` is the row limit; it applies to each kind, so that a kind
/// with many rows costs no more than necessary.
const STUCK: &str = "
(SELECT 'operation' AS kind, id, session_id, merchant_id, created_at AS since,
        kind || ', ' || sending AS detail
    FROM operations WHERE next_try_at IS NOT NULL AND kind <> 'compensation'
        AND sending <> 'accepted' AND created_at < $1
    ORDER BY created_at LIMIT $6)
UNION ALL
(SELECT 'accepted_operation', id, session_id, merchant_id, created_at, kind || ', ' || sending
    FROM operations WHERE next_try_at IS NOT NULL AND kind <> 'compensation'
        AND sending = 'accepted' AND created_at < $2
    ORDER BY created_at LIMIT $6)
UNION ALL
(SELECT 'compensation', id, session_id, merchant_id, created_at, kind || ', ' || sending
    FROM operations WHERE next_try_at IS NOT NULL AND kind = 'compensation'
    ORDER BY created_at LIMIT $6)
UNION ALL
(SELECT 'refund_of_failed_capture', refunds.id, session_id, refunds.merchant_id,
        refunds.created_at, sessions.failure
    FROM refunds JOIN sessions ON sessions.id = session_id
    WHERE refunds.status = 'refund_succeeded'
        AND sessions.status = 'error' AND sessions.failure = 'capture_failed'
    ORDER BY refunds.created_at LIMIT $6)
UNION ALL
(SELECT 'contradiction', id, session_id, merchant_id, created_at, kind || ', ' || failure
    FROM operations WHERE contradiction = 'listed'
    ORDER BY created_at LIMIT $6)
UNION ALL
(SELECT 'deadline', id, id, merchant_id, due_at, status
    FROM sessions WHERE due_at < $3
    ORDER BY due_at LIMIT $6)
UNION ALL
(SELECT 'notification', psp_notifications.id, session_id, merchant_id, received_at,
        psp_notifications.status
    FROM psp_notifications LEFT JOIN sessions ON sessions.id = session_id
    WHERE psp_notifications.status IN ('mismatched', 'unmatched', 'malformed')
    ORDER BY received_at LIMIT $6)
UNION ALL
(SELECT 'waiting_notification', id, session_id, NULL, received_at, status
    FROM psp_notifications WHERE status = 'waiting' AND received_at < $4
    ORDER BY received_at LIMIT $6)
UNION ALL
(SELECT 'delivery', event_id, session_id, merchant_id, created_at, split_part(url, '?', 1)
    FROM deliveries AS next WHERE next_try_at IS NOT NULL
        AND (next_try_at < $5 OR (attempts = 0 AND created_at < $5))
        AND (attempts > 0 OR NOT EXISTS (SELECT FROM deliveries AS before
            WHERE before.session_id = next.session_id AND before.sequence < next.sequence
                AND before.attempts = 0 AND before.next_try_at IS NOT NULL))
    ORDER BY created_at LIMIT $6)
UNION ALL
(SELECT 'failing_endpoint', id, NULL, merchant_id, failing_since, split_part(url, '?', 1)
    FROM webhook_endpoints WHERE failing_since < $7 AND disabled IS NULL
    ORDER BY failing_since LIMIT $6)
ORDER BY since, id LIMIT $6";

/// The kinds of work with a time budget.
const BUDGETED: [StuckKind; 6] = [
    StuckKind::Operation,
    StuckKind::Accepted,
    StuckKind::Deadline,
    StuckKind::Waiting,
    StuckKind::Delivery,
    StuckKind::Endpoint,
];

#[derive(QueryableByName)]
struct KindRow {
    #[diesel(sql_type = Text)]
    kind: String,
    #[diesel(embed)]
    stuck: StuckRow,
}

/// Implements [`oncharge_ports::WorkQueue::stuck`].
pub(super) async fn stuck(
    store: &PostgresStore,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<StuckItem>, StoreError> {
    let [operation, accepted, deadline, waiting, delivery, endpoint] =
        BUDGETED.map(|kind| now.plus_seconds(-kind.budget_seconds()));
    let query = sql_query(STUCK)
        .bind::<Instant, _>(operation)
        .bind::<Instant, _>(accepted)
        .bind::<Instant, _>(deadline)
        .bind::<Instant, _>(waiting)
        .bind::<Instant, _>(delivery)
        .bind::<BigInt, _>(i64::from(limit))
        .bind::<Instant, _>(endpoint);
    let rows: Vec<KindRow> = store.read(Prepared(query)).await?;
    rows.into_iter().map(StuckItem::try_from).collect()
}

impl TryFrom<KindRow> for StuckItem {
    type Error = StoreError;

    fn try_from(row: KindRow) -> Result<Self, StoreError> {
        let mut kinds = StuckKind::ALL.iter().copied();
        let kind = kinds.find(|kind| kind.name() == row.kind);
        let kind = kind.ok_or_else(|| StoreError::Failed("unknown kind of stuck work".into()))?;
        row.stuck.item(kind)
    }
}
