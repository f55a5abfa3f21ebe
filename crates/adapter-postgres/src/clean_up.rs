//! Deletes what need not be kept, a limited number of rows at a time.

use diesel::{
    sql_query,
    sql_types::{Array, BigInt, Text, Timestamptz},
};
use oncharge_domain::time::Timestamp;
use oncharge_ports::{StoreError, inbox::NotificationStatus, maintenance::Old};

use crate::{
    rows::{at, unfit},
    store::PostgresStore,
};

/// Records that were answered before, but for those whose operation is open. The condition stands
/// twice: a record that is taken anew meanwhile is looked at again, by the outer one alone.
const KEYS: &str = "
DELETE FROM idempotency_keys WHERE answered_at < $1 AND (merchant_id, key) IN (
    SELECT idempotency_keys.merchant_id, key FROM idempotency_keys
    LEFT JOIN operations ON operations.id = operation_id
    WHERE answered_at < $1 AND (operation_id IS NULL OR operations.status <> 'requested')
    ORDER BY answered_at LIMIT $2)";

/// Notifications that have come to an end of this kind; none ever leaves it.
const NOTIFICATIONS: &str = "
DELETE FROM psp_notifications WHERE id = ANY (ARRAY(
    SELECT id FROM psp_notifications WHERE status = ANY ($1) AND received_at < $2 LIMIT $3))";

/// As [`oncharge_ports::Maintenance::clean_up`] says.
pub(crate) async fn clean_up(
    store: &PostgresStore,
    old: &Old,
    limit: u32,
) -> Result<u64, StoreError> {
    let keys = sql_query(KEYS)
        .bind::<Timestamptz, _>(at(old.keys_answered_before))
        .bind::<BigInt, _>(i64::from(limit));
    let mut deleted = store.write(keys).await?;
    let over = [
        NotificationStatus::Handled,
        NotificationStatus::Irrelevant,
        NotificationStatus::Dismissed,
    ];
    for (statuses, before) in [
        (over.as_slice(), old.notifications_before),
        (&[NotificationStatus::Unverified], old.unverified_before),
    ] {
        let rest = i64::from(limit).saturating_sub(i64::try_from(deleted).map_err(unfit)?);
        if rest > 0 {
            deleted += notifications(store, statuses, before, rest).await?;
        }
    }
    u64::try_from(deleted).map_err(unfit)
}

async fn notifications(
    store: &PostgresStore,
    statuses: &[NotificationStatus],
    before: Timestamp,
    limit: i64,
) -> Result<usize, StoreError> {
    let statuses: Vec<&str> = statuses.iter().map(|status| status.name()).collect();
    let delete = sql_query(NOTIFICATIONS)
        .bind::<Array<Text>, _>(statuses)
        .bind::<Timestamptz, _>(at(before))
        .bind::<BigInt, _>(limit);
    store.write(delete).await
}
