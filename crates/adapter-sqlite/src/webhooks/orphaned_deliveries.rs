//! Ends deliveries whose endpoint was removed or disabled, in batches to keep writes short.

use diesel::{
    prelude::*,
    sql_query,
    sql_types::{BigInt, Nullable, Text},
};
use oncharge_domain::id::MerchantId;
use oncharge_ports::{StoreError, webhook_repository::MAX_ENDED_AT_ONCE};
use oncharge_store_rows::{
    Bind,
    schema::{deliveries, webhook_endpoints},
    sql_types::Id,
};

use crate::{clock::CLOCK, error, returning::ids, store::SqliteStore, writer::Priority};

/// An attempt in progress keeps its lease.
fn end_statement() -> String {
    format!(
        "UPDATE deliveries SET state = 'dead', next_try_at = NULL, ended_at = {CLOCK} \
         WHERE rowid IN ( \
         SELECT rowid FROM deliveries WHERE merchant_id = ?1 AND next_try_at IS NOT NULL \
         AND (?2 IS NULL OR url = ?2) LIMIT ?3 + 0)"
    )
}

/// Finds a merchant with orphaned deliveries. Skips from merchant to merchant in the index of open
/// deliveries, as the claim of deliveries does.
const FIND: &str = "WITH RECURSIVE merchant (id) AS ( \
     SELECT min(merchant_id) FROM deliveries WHERE next_try_at IS NOT NULL \
     UNION ALL \
     SELECT (SELECT min(merchant_id) FROM deliveries \
         WHERE next_try_at IS NOT NULL AND merchant_id > merchant.id) \
     FROM merchant WHERE merchant.id IS NOT NULL) \
     SELECT merchant.id AS id FROM merchant \
     LEFT JOIN webhook_endpoints AS endpoint ON endpoint.merchant_id = merchant.id \
     WHERE merchant.id IS NOT NULL AND (endpoint.url IS NULL OR endpoint.disabled IS NOT NULL) \
     AND EXISTS (SELECT 1 FROM deliveries AS own WHERE own.merchant_id = merchant.id \
         AND own.next_try_at IS NOT NULL AND (endpoint.url IS NULL OR own.url = endpoint.url)) \
     LIMIT 1";

/// Which of a merchant's open deliveries are orphaned.
enum Orphaned {
    Nothing,
    To(String),
    All,
}

impl Orphaned {
    /// Determined by the merchant's current endpoint.
    fn of(connection: &mut SqliteConnection, merchant: MerchantId) -> QueryResult<Self> {
        let endpoint: Option<(String, Option<String>)> = webhook_endpoints::table
            .find(Bind(merchant))
            .select((webhook_endpoints::url, webhook_endpoints::disabled))
            .get_result(connection)
            .optional()?;
        Ok(match endpoint {
            None => Self::All,
            Some((url, Some(_))) => Self::To(url),
            Some((_, None)) => Self::Nothing,
        })
    }
}

/// Whether this merchant has orphaned deliveries.
pub(super) fn any_exist(
    connection: &mut SqliteConnection,
    merchant: MerchantId,
) -> QueryResult<bool> {
    let open = deliveries::table
        .filter(deliveries::merchant_id.eq(Bind(merchant)))
        .filter(deliveries::next_try_at.is_not_null());
    match Orphaned::of(connection, merchant)? {
        Orphaned::Nothing => Ok(false),
        Orphaned::All => diesel::select(diesel::dsl::exists(open)).get_result(connection),
        Orphaned::To(url) => {
            let open = open.filter(deliveries::url.eq(url));
            diesel::select(diesel::dsl::exists(open)).get_result(connection)
        }
    }
}

/// Ends a batch of this merchant's orphaned deliveries, inside the caller's transaction; returns
/// their number.
pub(super) fn end(connection: &mut SqliteConnection, merchant: MerchantId) -> QueryResult<usize> {
    let url = match Orphaned::of(connection, merchant)? {
        Orphaned::Nothing => return Ok(0),
        Orphaned::To(url) => Some(url),
        Orphaned::All => None,
    };
    sql_query(end_statement())
        .bind::<Id, _>(merchant)
        .bind::<Nullable<Text>, _>(url)
        .bind::<BigInt, _>(i64::from(MAX_ENDED_AT_ONCE))
        .execute(connection)
}

/// Ends a batch of orphaned deliveries of this merchant, or else of any one; returns their number.
pub(super) async fn end_batch(
    store: &SqliteStore,
    of: Option<MerchantId>,
) -> Result<u64, StoreError> {
    let merchant = match of {
        Some(merchant) => merchant,
        None => match find(store)? {
            Some(merchant) => merchant,
            None => return Ok(0),
        },
    };
    let ended = store.write(Priority::Worker, move |connection| {
        end(connection, merchant).map_err(error::commit)
    });
    let ended = ended.await.map_err(error::into_store_error)?;
    Ok(ended as u64)
}

fn find(store: &SqliteStore) -> Result<Option<MerchantId>, StoreError> {
    let found = store.read(|connection| {
        let found = ids(connection, sql_query(FIND));
        found.map_err(error::store)
    })?;
    Ok(found.first().copied().map(MerchantId::from_uuid))
}
