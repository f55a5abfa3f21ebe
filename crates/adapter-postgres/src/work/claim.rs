//! Claims: the statement that leases due rows.

use std::time::Duration;

use diesel::{
    pg::{Pg, data_types::PgInterval},
    prelude::*,
    query_builder::{AstPass, Query, QueryFragment, QueryId},
    sql_types::{Array, BigInt, Interval, Text},
};
use oncharge_domain::{id::UnitId, time::Timestamp};
use oncharge_ports::{
    StoreError,
    work_queue::{AccountName, ClaimFilter},
};
use oncharge_store_rows::{
    ColumnValue,
    sql_types::{Id, Instant},
};
use uuid::Uuid;

use super::lease::WorkTable;
use crate::{clock::interval, store::PostgresStore};

/// The account of a row, as `AccountName` has it.
const ACCOUNT: &str = "(connector || '/' || account)";

/// A claimed row: its id, number of claims and account; then its due time.
pub(super) type ClaimedRow = ((Uuid, i64, String), ColumnValue<Timestamp>);

/// Claims due items, oldest first.
pub(super) async fn claim_oldest(
    store: &PostgresStore,
    table: WorkTable,
    wanted: &ClaimFilter,
    token: UnitId,
    length: Duration,
) -> Result<Vec<ClaimedRow>, StoreError> {
    let claim = Claim {
        table,
        limit: wanted.limit.into(),
        busy: wanted.busy.iter().map(AccountName::as_str).collect(),
        length: interval(length)?,
        token,
    };
    let mut claimed: Vec<ClaimedRow> = store.read(claim).await?;
    claimed.sort_by(|((one, ..), due), ((other, ..), later)| (due, one).cmp(&(later, other)));
    Ok(claimed)
}

/// Leases due rows that are free; returns id, number of claims, account and due time.
///
/// The rows are selected in a separate CTE, so that its limit holds whatever plan is chosen; rows
/// that another worker is claiming are skipped. They are passed on as an array, for which no plan
/// reads the whole table.
#[derive(Debug)]
struct Claim<'a> {
    table: WorkTable,
    limit: i64,
    /// The accounts to skip.
    busy: Vec<&'a str>,
    length: PgInterval,
    token: UnitId,
}

impl QueryFragment<Pg> for Claim<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        let (table, key, due) = (self.table.name(), self.table.key(), self.table.due());
        let tries = self.table.tries();
        out.push_sql("WITH due AS MATERIALIZED (SELECT ");
        out.push_sql(key);
        out.push_sql(" AS due_id FROM ");
        out.push_sql(table);
        out.push_sql(" WHERE ");
        out.push_sql(due);
        out.push_sql(" <= now() AND (leased_until IS NULL OR leased_until <= now()) AND ");
        out.push_sql(ACCOUNT);
        out.push_sql(" <> ALL (");
        out.push_bind_param::<Array<Text>, _>(&self.busy)?;
        out.push_sql(") ORDER BY ");
        out.push_sql(due);
        out.push_sql(" LIMIT ");
        out.push_bind_param::<BigInt, _>(&self.limit)?;
        out.push_sql(" FOR NO KEY UPDATE SKIP LOCKED) UPDATE ");
        out.push_sql(table);
        out.push_sql(" SET ");
        if tries.is_some() {
            out.push_sql("tries = tries + 1, ");
        }
        out.push_sql("leased_until = now() + ");
        out.push_bind_param::<Interval, _>(&self.length)?;
        out.push_sql(", lease_token = ");
        out.push_bind_param::<Id, _>(&self.token)?;
        out.push_sql(" WHERE ");
        out.push_sql(key);
        out.push_sql(" = ANY (ARRAY(SELECT due_id FROM due)) RETURNING ");
        out.push_sql(key);
        out.push_sql(", ");
        out.push_sql(tries.unwrap_or("0::bigint"));
        out.push_sql(", ");
        out.push_sql(ACCOUNT);
        out.push_sql(", ");
        out.push_sql(due);
        Ok(())
    }
}

/// Identified by its text, which depends on the table.
impl QueryId for Claim<'_> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl Query for Claim<'_> {
    type SqlType = ((Id, BigInt, Text), Instant);
}
