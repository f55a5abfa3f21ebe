//! Claims: find candidates on a read connection; re-check and lease them on the writer.

use std::time::Duration;

use diesel::{
    prelude::*,
    sql_query,
    sql_types::{BigInt, Nullable, Text},
};
use oncharge_domain::{
    id::{self as domain, Kind, MerchantId, UnitId},
    time::Timestamp,
};
use oncharge_ports::{
    StoreError,
    unit_of_work::{Lease, LeasedItem},
    work_queue::{AccountName, ClaimFilter},
};
use oncharge_store_rows::{
    ColumnValue,
    prepared::Prepared,
    row_reader::RowReader,
    sql_types::{Id, Instant},
};
use uuid::Uuid;

use super::lease::WorkTable;
use crate::{
    clock::{CLOCK, interval},
    error,
    store::SqliteStore,
    writer::Priority,
};

/// The account of a row, as `AccountName` has it.
const ACCOUNT: &str = "(connector || '/' || account)";

/// An item that is due and not leased.
#[derive(QueryableByName)]
pub(super) struct Due {
    #[diesel(sql_type = Id)]
    id: ColumnValue<Uuid>,
    /// The item's merchant, if the statement selects it.
    #[diesel(sql_type = Nullable<Id>)]
    pub(super) merchant: Option<ColumnValue<MerchantId>>,
    /// The PSP account, as `AccountName` formats it, if the statement selects it.
    #[diesel(sql_type = Nullable<Text>)]
    pub(super) account: Option<String>,
    /// The due time.
    #[diesel(sql_type = Instant)]
    pub(super) at: ColumnValue<Timestamp>,
}

pub(super) struct ClaimedRow {
    id: Uuid,
    pub(super) due: Due,
    pub(super) token: UnitId,
    /// The number of claims, this one included; 0 if the table does not count them.
    pub(super) tries: i64,
}

#[derive(QueryableByName)]
struct TriesRow {
    #[diesel(sql_type = BigInt)]
    tries: i64,
}

impl Due {
    fn id(&self, work: &WorkTable) -> Result<Uuid, StoreError> {
        RowReader::with_id(work.table, work.id, self.id.clone()).map(RowReader::id)
    }
}

impl ClaimedRow {
    pub(super) fn id<K: Kind>(&self) -> domain::Id<K> {
        domain::Id::from_uuid(self.id)
    }

    /// The number of claims, this one included.
    pub(super) fn tries(&self, work: &WorkTable) -> Result<u32, StoreError> {
        RowReader::of(work.table, self.id).count("tries", self.tries)
    }

    pub(super) fn account(&self) -> AccountName {
        AccountName::from_text(self.due.account.clone().unwrap_or_default())
    }

    pub(super) fn lease(&self, item: LeasedItem) -> Lease {
        Lease {
            item,
            token: self.token,
        }
    }
}

/// Claims the oldest items that are due and match the filter.
pub(super) async fn claim_oldest(
    store: &SqliteStore,
    work: &'static WorkTable,
    wanted: &ClaimFilter,
    lease: Duration,
) -> Result<Vec<ClaimedRow>, StoreError> {
    let busy: Vec<&str> = wanted.busy.iter().map(AccountName::as_str).collect();
    let busy = serde_json::to_string(&busy).map_err(|error| StoreError::Failed(error.into()))?;
    let most = i64::from(wanted.limit);
    let now = store.clock().now();
    let scan = move |connection: &mut SqliteConnection, found: Option<&[Due]>| match found {
        None => due(connection, work, now, &busy, most),
        Some(found) => still_due(connection, work, now, found),
    };
    claim(store, work, scan, lease).await
}

fn due(
    connection: &mut SqliteConnection,
    work: &WorkTable,
    now: Timestamp,
    busy: &str,
    limit: i64,
) -> QueryResult<Vec<Due>> {
    let WorkTable { table, id, due, .. } = work;
    // The sum hides the limit from the planner, which would otherwise compile the statement anew
    // for each number.
    let query = sql_query(format!(
        "SELECT {id} AS id, NULL AS merchant, {ACCOUNT} AS account, {due} AS at FROM {table} \
         WHERE {due} <= ? AND (leased_until IS NULL OR leased_until <= {CLOCK}) \
         AND {ACCOUNT} NOT IN (SELECT value FROM json_each(?)) \
         ORDER BY {due}, {id} LIMIT ? + 0"
    ))
    .bind::<Instant, _>(now)
    .bind::<Text, _>(busy)
    .bind::<BigInt, _>(limit);
    Prepared(query).load(connection)
}

/// Re-checks which of these are still due, each looked up by its key, so that the writer, for which
/// all requests queue, never scans a busy account's long backlog.
fn still_due(
    connection: &mut SqliteConnection,
    work: &WorkTable,
    now: Timestamp,
    found: &[Due],
) -> QueryResult<Vec<Due>> {
    let WorkTable { table, id, due, .. } = work;
    let mut still = Vec::with_capacity(found.len());
    for item in found {
        let query = sql_query(format!(
            "SELECT {id} AS id, NULL AS merchant, {ACCOUNT} AS account, {due} AS at FROM {table} \
             WHERE {id} = ? AND {due} <= ? AND (leased_until IS NULL OR leased_until <= {CLOCK})"
        ))
        .bind::<Id, _>(&item.id)
        .bind::<Instant, _>(now);
        let row: Vec<Due> = Prepared(query).load(connection)?;
        still.extend(row);
    }
    Ok(still)
}

/// Claims the items that `scan` finds on a read connection and confirms on the writer.
pub(super) async fn claim<L>(
    store: &SqliteStore,
    work: &'static WorkTable,
    scan: L,
    lease: Duration,
) -> Result<Vec<ClaimedRow>, StoreError>
where
    L: Fn(&mut SqliteConnection, Option<&[Due]>) -> QueryResult<Vec<Due>> + Send + 'static,
{
    // Most scans find nothing, and a scan on a read connection blocks nobody.
    let found = store.read(|connection| scan(connection, None).map_err(error::store))?;
    if found.is_empty() {
        return Ok(Vec::new());
    }
    for due in &found {
        due.id(work)?;
    }
    let entropy = store.entropy();
    let tokens: Vec<UnitId> = std::iter::repeat_with(|| entropy.lease_token())
        .take(found.len())
        .collect();
    let claimed = store.write(Priority::Worker, move |connection| {
        let due = scan(connection, Some(found.as_slice())).map_err(error::commit)?;
        let mut claimed = Vec::with_capacity(due.len());
        for (due, token) in due.into_iter().zip(tokens) {
            let id = due.id(work)?;
            let tries = acquire_lease(connection, work, id, token, interval(lease));
            claimed.push(ClaimedRow {
                id,
                tries: tries.map_err(error::commit)?,
                due,
                token,
            });
        }
        Ok(claimed)
    });
    claimed.await.map_err(error::into_store_error)
}

/// Leases an item for this many microseconds; returns its number of claims.
fn acquire_lease(
    connection: &mut SqliteConnection,
    work: &WorkTable,
    item: Uuid,
    token: UnitId,
    length: i64,
) -> QueryResult<i64> {
    let WorkTable { table, id, .. } = work;
    let (count, tries) = if work.counts_tries {
        (", tries = tries + 1", "tries")
    } else {
        ("", "0")
    };
    let update = sql_query(format!(
        "UPDATE {table} SET leased_until = {CLOCK} + ?, lease_token = ?{count} \
         WHERE {id} = ? RETURNING {tries} AS tries"
    ))
    .bind::<BigInt, _>(length)
    .bind::<Id, _>(token)
    .bind::<Id, _>(item);
    let row: TriesRow = Prepared(update).get_result(connection)?;
    Ok(row.tries)
}
