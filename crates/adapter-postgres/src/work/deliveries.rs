//! Claims deliveries: fairly among merchants, and a session's first attempts in their order.

use std::time::Duration;

use diesel::{
    prelude::*,
    sql_query,
    sql_types::{Array, BigInt, Interval, Timestamptz, Uuid as SqlUuid},
};
use oncharge_domain::{
    id::{EventId, Id, MerchantId},
    time::Timestamp,
};
use oncharge_ports::{
    StoreError,
    unit_of_work::{Lease, LeasedItem},
    work_queue::{ClaimedDelivery, WantedDeliveries},
};
use time::OffsetDateTime;
use uuid::Uuid;

use super::interval;
use crate::{prepared::Prepared, rows::at, store::PostgresStore};

/// Whose deliveries are due is known from the first 200 that are, wherever there are no more. Where
/// there are, all merchants with open deliveries are found in an index, each by one step beyond the
/// one before. So one merchant's backlog, however long, is never read: neither to find the others
/// nor, beyond what is wanted of each, to find the merchant's own oldest.
///
/// The choice is made without locks; what is chosen is locked and looked at again, and what another
/// worker is just claiming is passed over. Rows are handed on as arrays, for which no plan reads the
/// whole table.
const CLAIM: &str = "
WITH RECURSIVE due AS MATERIALIZED (
    SELECT merchant_id FROM deliveries WHERE next_try_at <= $1 ORDER BY next_try_at LIMIT 200
), walk (merchant_id) AS (
    (SELECT merchant_id FROM deliveries
        WHERE next_try_at IS NOT NULL AND (SELECT count(*) FROM due) = 200
        ORDER BY merchant_id LIMIT 1)
    UNION ALL
    SELECT (SELECT deliveries.merchant_id FROM deliveries
        WHERE next_try_at IS NOT NULL AND deliveries.merchant_id > walk.merchant_id
        ORDER BY deliveries.merchant_id LIMIT 1)
    FROM walk WHERE merchant_id IS NOT NULL
), merchant AS MATERIALIZED (
    SELECT merchant_id FROM due UNION SELECT merchant_id FROM walk
), chosen AS MATERIALIZED (
    SELECT own.event_id FROM merchant, LATERAL (
        SELECT event_id, next_try_at FROM deliveries AS next
        WHERE next.merchant_id = merchant.merchant_id AND next_try_at <= $1
            AND (leased_until IS NULL OR leased_until <= now())
            AND (attempts > 0 OR NOT EXISTS (SELECT FROM deliveries AS before
                WHERE before.session_id = next.session_id AND before.sequence < next.sequence
                    AND before.attempts = 0 AND before.next_try_at IS NOT NULL))
        ORDER BY next_try_at LIMIT $2
    ) AS own
    WHERE merchant.merchant_id <> ALL ($3)
    ORDER BY own.next_try_at LIMIT $4
), free AS MATERIALIZED (
    SELECT event_id FROM deliveries WHERE event_id = ANY (ARRAY(SELECT event_id FROM chosen))
        AND state = 'pending' AND (leased_until IS NULL OR leased_until <= now())
    FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE deliveries SET leased_until = now() + $5, lease_token = $6
WHERE event_id = ANY (ARRAY(SELECT event_id FROM free))
RETURNING event_id, merchant_id, next_try_at";

#[derive(QueryableByName)]
struct Claimed {
    #[diesel(sql_type = SqlUuid)]
    event_id: Uuid,
    #[diesel(sql_type = SqlUuid)]
    merchant_id: Uuid,
    #[diesel(sql_type = Timestamptz)]
    next_try_at: OffsetDateTime,
}

/// Claims what is wanted, oldest first, in one round trip.
pub(super) async fn claim(
    store: &PostgresStore,
    now: Timestamp,
    wanted: &WantedDeliveries,
    length: Duration,
) -> Result<Vec<ClaimedDelivery>, StoreError> {
    let token = store.entropy.id(now);
    let busy: Vec<Uuid> = wanted.busy.iter().copied().map(Id::uuid).collect();
    let claim = sql_query(CLAIM)
        .bind::<Timestamptz, _>(at(now))
        .bind::<BigInt, _>(i64::from(wanted.each))
        .bind::<Array<SqlUuid>, _>(busy)
        .bind::<BigInt, _>(i64::from(wanted.limit))
        .bind::<Interval, _>(interval(length)?)
        .bind::<SqlUuid, _>(token.uuid());
    let mut claimed: Vec<Claimed> = store.read(Prepared(claim)).await?;
    claimed.sort_by_key(|row| (row.next_try_at, row.event_id));
    let read = |row: &Claimed| {
        let event = EventId::from_uuid(row.event_id);
        let item = LeasedItem::Delivery(event);
        ClaimedDelivery {
            event,
            merchant: MerchantId::from_uuid(row.merchant_id),
            lease: Lease { item, token },
        }
    };
    Ok(claimed.iter().map(read).collect())
}
