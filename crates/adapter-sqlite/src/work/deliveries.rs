//! Due deliveries: each merchant's oldest, so that a long backlog delays only its own merchant.

use std::time::Duration;

use diesel::{
    prelude::*,
    sql_query,
    sql_types::{BigInt, Text},
};
use oncharge_domain::time::Timestamp;
use oncharge_ports::{
    StoreError,
    unit_of_work::LeasedItem,
    work_queue::{ClaimedDelivery, DeliveryClaimFilter},
};
use oncharge_store_rows::{prepared::Prepared, row_reader::RowReader, sql_types::Instant};

use super::{
    claim::{self, ClaimedRow, Due},
    lease::DELIVERIES,
};
use crate::{clock::CLOCK, store::SqliteStore};

/// Parameters of the query for deliveries that a worker can take.
struct DeliveryQuery {
    now: Timestamp,
    limit: i64,
    per_merchant: i64,
    /// The merchants to skip, as a JSON array of hexadecimal ids.
    busy: String,
}

impl DeliveryQuery {
    fn of(now: Timestamp, wanted: &DeliveryClaimFilter) -> Result<Self, StoreError> {
        let busy = wanted.busy.iter();
        let busy: Vec<String> = busy.map(|id| id.uuid().simple().to_string()).collect();
        Ok(Self {
            now,
            limit: wanted.limit.into(),
            per_merchant: wanted.per_merchant.into(),
            busy: serde_json::to_string(&busy).map_err(|error| StoreError::Failed(error.into()))?,
        })
    }

    /// Due deliveries, oldest first, at most `limit` (for `None`, the worker's limit).
    ///
    /// Skips from merchant to merchant in the index of open deliveries and takes the first few of
    /// each: the cost depends on the number of merchants with open deliveries, not on the number of
    /// deliveries. If nothing is due, one look-up in the index of due deliveries ends the query.
    fn due(&self, connection: &mut SqliteConnection, limit: Option<i64>) -> QueryResult<Vec<Due>> {
        let query = sql_query(format!(
            "WITH RECURSIVE merchant (id) AS ( \
                 SELECT min(merchant_id) FROM deliveries WHERE next_try_at IS NOT NULL AND ?1 >= \
                     (SELECT min(next_try_at) FROM deliveries WHERE next_try_at IS NOT NULL) \
                 UNION ALL \
                 SELECT (SELECT min(merchant_id) FROM deliveries \
                     WHERE next_try_at IS NOT NULL AND merchant_id > merchant.id) \
                 FROM merchant WHERE merchant.id IS NOT NULL) \
             SELECT due.event_id AS id, due.merchant_id AS merchant, NULL AS account, \
             due.next_try_at AS at \
             FROM merchant CROSS JOIN deliveries AS due \
             WHERE merchant.id NOT IN (SELECT unhex(value) FROM json_each(?2)) \
             AND due.rowid IN (SELECT own.rowid FROM deliveries AS own \
                 WHERE own.merchant_id = merchant.id AND own.next_try_at <= ?1 \
                 AND (own.leased_until IS NULL OR own.leased_until <= {CLOCK}) \
                 AND (own.attempts > 0 OR NOT EXISTS ({EARLIER_DELIVERY})) \
                 ORDER BY own.next_try_at LIMIT ?3 + 0) \
             ORDER BY due.next_try_at, due.event_id LIMIT ?4 + 0"
        ))
        .bind::<Instant, _>(self.now)
        .bind::<Text, _>(&self.busy)
        .bind::<BigInt, _>(self.per_merchant)
        .bind::<BigInt, _>(limit.unwrap_or(self.limit));
        Prepared(query).load(connection)
    }
}

/// Claims due deliveries, oldest first.
pub(super) async fn claim(
    store: &SqliteStore,
    wanted: &DeliveryClaimFilter,
    lease: Duration,
) -> Result<Vec<ClaimedDelivery>, StoreError> {
    let wanted = DeliveryQuery::of(store.clock().now(), wanted)?;
    let due = move |connection: &mut SqliteConnection, found: Option<&[Due]>| {
        let most = found.map(|found| i64::try_from(found.len()).unwrap_or(i64::MAX));
        wanted.due(connection, most)
    };
    let claimed = claim::claim(store, &DELIVERIES, due, lease).await?;
    let read = |claimed: ClaimedRow| {
        let event = claimed.id();
        let reader = RowReader::of(DELIVERIES.table, event);
        let lease = claimed.lease(LeasedItem::Delivery(event));
        let merchant = reader.optional("merchant_id", claimed.due.merchant)?;
        Ok(ClaimedDelivery {
            event,
            merchant: reader.require("merchant_id", merchant)?,
            lease,
        })
    };
    claimed.into_iter().map(read).collect()
}

/// The deliveries that must precede a first attempt of `own`: earlier ones of the same session.
pub(super) const EARLIER_DELIVERY: &str = "SELECT 1 FROM deliveries AS earlier \
     WHERE earlier.session_id = own.session_id AND earlier.sequence < own.sequence \
     AND earlier.attempts = 0 AND earlier.next_try_at IS NOT NULL";
