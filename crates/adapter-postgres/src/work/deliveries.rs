//! Claims deliveries: fair across merchants, with a session's first attempts in order.

use std::time::Duration;

use diesel::{
    prelude::*,
    sql_query,
    sql_types::{Array, BigInt, Interval},
};
use oncharge_domain::{
    id::{EventId, MerchantId},
    time::Timestamp,
};
use oncharge_ports::{
    StoreError,
    unit_of_work::{Lease, LeasedItem},
    work_queue::{ClaimedDelivery, DeliveryClaimFilter},
};
use oncharge_store_rows::{
    ColumnValue,
    prepared::Prepared,
    row_reader::RowReader,
    sql_types::{Id, Instant},
};

use crate::{clock::interval, store::PostgresStore};

/// Considers the oldest 1000 due deliveries first. If these yield the wanted number, or no more are
/// due, they are the oldest of all, and the cost of the claim does not depend on the number of
/// merchants with due deliveries. Otherwise (their merchants are busy, or one has very many) all
/// merchants with open deliveries are found by a skip scan of an index, and the oldest of each are
/// taken. So a merchant's backlog, however long, is never read: neither to find the others nor,
/// beyond the number wanted per merchant, to find the merchant's own oldest.
///
/// Candidates are selected without locks, then locked and re-checked; those that another worker is
/// claiming are skipped. Rows are passed on as arrays, for which no plan reads the whole table.
const CLAIM: &str = "
WITH RECURSIVE due AS MATERIALIZED (
    SELECT event_id, merchant_id, session_id, sequence, attempts, next_try_at,
        (leased_until IS NULL OR leased_until <= now()) AND merchant_id <> ALL ($2) AS is_free
    FROM deliveries WHERE next_try_at <= now() ORDER BY next_try_at LIMIT 1000
), near AS MATERIALIZED (
    SELECT * FROM due WHERE is_free ORDER BY next_try_at LIMIT 4 * $3
), oldest AS MATERIALIZED (
    SELECT event_id FROM (
        SELECT event_id, next_try_at,
            row_number() OVER (PARTITION BY merchant_id ORDER BY next_try_at) AS place
        FROM near WHERE attempts > 0 OR NOT EXISTS (SELECT FROM deliveries AS before
            WHERE before.session_id = near.session_id AND before.sequence < near.sequence
                AND before.attempts = 0 AND before.next_try_at IS NOT NULL)
    ) AS own
    WHERE place <= $1 ORDER BY next_try_at LIMIT $3
), further AS MATERIALIZED (
    SELECT (SELECT count(*) FROM oldest) < $3 AND ((SELECT count(*) FROM due) = 1000
        OR (SELECT count(*) FROM near) = 4 * $3) AS is_wanted
), walk (merchant_id) AS (
    (SELECT merchant_id FROM deliveries
        WHERE next_try_at IS NOT NULL AND (SELECT is_wanted FROM further)
        ORDER BY merchant_id LIMIT 1)
    UNION ALL
    SELECT (SELECT deliveries.merchant_id FROM deliveries
        WHERE next_try_at IS NOT NULL AND deliveries.merchant_id > walk.merchant_id
        ORDER BY deliveries.merchant_id LIMIT 1)
    FROM walk WHERE merchant_id IS NOT NULL
), fair AS MATERIALIZED (
    SELECT own.event_id FROM walk, LATERAL (
        SELECT event_id, next_try_at FROM deliveries AS next
        WHERE next.merchant_id = walk.merchant_id AND next_try_at <= now()
            AND (leased_until IS NULL OR leased_until <= now())
            AND (attempts > 0 OR NOT EXISTS (SELECT FROM deliveries AS before
                WHERE before.session_id = next.session_id AND before.sequence < next.sequence
                    AND before.attempts = 0 AND before.next_try_at IS NOT NULL))
        ORDER BY next_try_at LIMIT $1
    ) AS own
    WHERE walk.merchant_id <> ALL ($2)
    ORDER BY own.next_try_at LIMIT $3
), chosen AS MATERIALIZED (
    SELECT event_id FROM fair
    UNION ALL SELECT event_id FROM oldest WHERE NOT (SELECT is_wanted FROM further)
), free AS MATERIALIZED (
    SELECT event_id FROM deliveries WHERE event_id = ANY (ARRAY(SELECT event_id FROM chosen))
        AND next_try_at <= now() AND (leased_until IS NULL OR leased_until <= now())
    FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE deliveries SET leased_until = now() + $4, lease_token = $5
WHERE event_id = ANY (ARRAY(SELECT event_id FROM free))
RETURNING event_id, merchant_id, next_try_at";

#[derive(QueryableByName)]
struct ClaimedRow {
    #[diesel(sql_type = Id)]
    event_id: ColumnValue<EventId>,
    #[diesel(sql_type = Id)]
    merchant_id: ColumnValue<MerchantId>,
    #[diesel(sql_type = Instant)]
    next_try_at: ColumnValue<Timestamp>,
}

/// Claims due deliveries, oldest first, in one round trip.
pub(super) async fn claim(
    store: &PostgresStore,
    wanted: &DeliveryClaimFilter,
    length: Duration,
) -> Result<Vec<ClaimedDelivery>, StoreError> {
    let token = store.entropy.lease_token();
    let claim = sql_query(CLAIM)
        .bind::<BigInt, _>(i64::from(wanted.per_merchant))
        .bind::<Array<Id>, _>(wanted.busy.clone())
        .bind::<BigInt, _>(i64::from(wanted.limit))
        .bind::<Interval, _>(interval(length)?)
        .bind::<Id, _>(token);
    let mut claimed: Vec<ClaimedRow> = store.read(Prepared(claim)).await?;
    claimed.sort_by(|one, other| {
        (&one.next_try_at, &one.event_id).cmp(&(&other.next_try_at, &other.event_id))
    });
    let read = |row: ClaimedRow| {
        let reader = RowReader::with_id("deliveries", "event_id", row.event_id)?;
        let event = reader.id();
        let item = LeasedItem::Delivery(event);
        Ok(ClaimedDelivery {
            event,
            merchant: reader.value("merchant_id", row.merchant_id)?,
            lease: Lease { item, token },
        })
    };
    claimed.into_iter().map(read).collect()
}
