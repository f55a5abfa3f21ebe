//! Ends deliveries whose endpoint was removed or disabled, in batches to keep statements short.
//!
//! The merchant's lock is held while an endpoint is set or ended, or deliveries are ended. So no
//! endpoint that would take over orphaned deliveries is set while they are being ended, and an
//! endpoint is set only if no orphaned deliveries exist.

use diesel::{QueryableByName, pg::Pg, query_builder::QueryFragment, sql_query, sql_types::BigInt};
use oncharge_domain::id::MerchantId;
use oncharge_ports::{StoreError, webhook_repository::MAX_ENDED_AT_ONCE};
use oncharge_store_rows::{prepared::Prepared, sql_types::Id};

use crate::{batch::Batch, merchants::merchant_lock, store::PostgresStore};

/// At most $2 of a merchant's orphaned deliveries, judged by its current endpoint. Ordered as the
/// index of open deliveries, so that no plan reads the whole table.
macro_rules! orphaned_deliveries {
    () => {
        "WITH ended AS MATERIALIZED (
    SELECT url FROM merchants LEFT JOIN webhook_endpoints ON merchant_id = merchants.id
    WHERE merchants.id = $1 AND (merchant_id IS NULL OR disabled IS NOT NULL)
), orphaned AS MATERIALIZED (
    SELECT event_id FROM ended, LATERAL (
        SELECT event_id FROM deliveries
        WHERE merchant_id = $1 AND next_try_at IS NOT NULL
            AND (ended.url IS NULL OR deliveries.url = ended.url)
        ORDER BY next_try_at LIMIT $2
    ) AS open
) "
    };
}

/// Returns one row if no orphaned deliveries exist.
const NONE_EXIST: &str = concat!(
    orphaned_deliveries!(),
    "SELECT 1 WHERE NOT EXISTS (SELECT FROM orphaned)"
);

/// An attempt in progress keeps its lease. A delivery that it has just completed stays unchanged.
const END: &str = concat!(
    orphaned_deliveries!(),
    "UPDATE deliveries SET state = 'dead', next_try_at = NULL, ended_at = now()
WHERE event_id = ANY (ARRAY(SELECT event_id FROM orphaned)) AND next_try_at IS NOT NULL"
);

/// Finds a merchant with orphaned deliveries. Skips from merchant to merchant in the index of open
/// deliveries, as the claim of deliveries does.
const FIND: &str = "
WITH RECURSIVE walk (merchant_id) AS (
    (SELECT merchant_id FROM deliveries WHERE next_try_at IS NOT NULL
        ORDER BY merchant_id LIMIT 1)
    UNION ALL
    SELECT (SELECT deliveries.merchant_id FROM deliveries
        WHERE next_try_at IS NOT NULL AND deliveries.merchant_id > walk.merchant_id
        ORDER BY deliveries.merchant_id LIMIT 1)
    FROM walk WHERE merchant_id IS NOT NULL
)
SELECT walk.merchant_id AS id FROM walk
LEFT JOIN LATERAL (SELECT url, disabled FROM webhook_endpoints
    WHERE webhook_endpoints.merchant_id = walk.merchant_id LIMIT 1) AS endpoint ON true,
LATERAL (SELECT FROM deliveries
    WHERE deliveries.merchant_id = walk.merchant_id AND next_try_at IS NOT NULL
        AND (endpoint.url IS NULL OR deliveries.url = endpoint.url)
    ORDER BY next_try_at LIMIT 1) AS open
WHERE walk.merchant_id IS NOT NULL AND (endpoint.url IS NULL OR endpoint.disabled IS NOT NULL)
LIMIT 1";

#[derive(QueryableByName)]
struct MerchantIdRow {
    #[diesel(sql_type = Id)]
    id: MerchantId,
}

/// Touches a row if this merchant, whose lock the caller holds, has no orphaned deliveries.
pub(super) fn none_exist(merchant: MerchantId) -> impl QueryFragment<Pg> + Send + use<> {
    with_limit(NONE_EXIST, merchant, 1)
}

/// Ends a batch of the orphaned deliveries of this merchant, whose lock the caller holds.
pub(super) fn end(merchant: MerchantId) -> impl QueryFragment<Pg> + Send + use<> {
    with_limit(END, merchant, MAX_ENDED_AT_ONCE)
}

fn with_limit(
    statement: &'static str,
    merchant: MerchantId,
    limit: u32,
) -> impl QueryFragment<Pg> + Send + use<> {
    sql_query(statement)
        .bind::<Id, _>(merchant)
        .bind::<BigInt, _>(i64::from(limit))
}

/// Ends a batch of orphaned deliveries of this merchant, or else of any one; returns their number.
pub(super) async fn end_batch(
    store: &PostgresStore,
    of: Option<MerchantId>,
) -> Result<u64, StoreError> {
    let merchant = match of {
        Some(merchant) => merchant,
        None => match find(store).await? {
            Some(merchant) => merchant,
            None => return Ok(0),
        },
    };
    let pooled = store.pool.get().await?;
    let mut batch = Batch::<()>::new(&pooled);
    batch.add(merchant_lock(merchant));
    batch.add(end(merchant));
    Ok(batch.commit_and_count().await? as u64)
}

async fn find(store: &PostgresStore) -> Result<Option<MerchantId>, StoreError> {
    let found: Vec<MerchantIdRow> = store.read(Prepared(sql_query(FIND))).await?;
    Ok(found.first().map(|row| row.id))
}
