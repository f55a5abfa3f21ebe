//! The two statements about leases that Diesel's own words cannot say; prepared and kept like all
//! others (`sql_query` never is).

use diesel::{
    pg::{Pg, data_types::PgInterval},
    prelude::*,
    query_builder::{AstPass, Query, QueryFragment, QueryId},
    sql_types,
};
use time::OffsetDateTime;
use uuid::Uuid;

/// What can be leased.
#[derive(Clone, Copy, Debug)]
pub(super) enum Table {
    Operations,
    Sessions,
}

/// Gives due rows that nobody holds to a new claim: id, number of claims, and when it was due.
///
/// The rows are picked in a CTE of its own, so that its limit holds whatever plan is chosen, and
/// rows that another worker is just claiming are passed over.
#[derive(Debug)]
pub(super) struct Claim {
    pub(super) table: Table,
    pub(super) now: OffsetDateTime,
    pub(super) limit: i64,
    pub(super) length: PgInterval,
    pub(super) token: Uuid,
}

/// Lengthens a lease that holds.
#[derive(Debug)]
pub(super) struct Renew {
    pub(super) table: Table,
    pub(super) id: Uuid,
    pub(super) token: Uuid,
    pub(super) length: PgInterval,
}

impl QueryFragment<Pg> for Claim {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        let (table, due, set, tries) = match self.table {
            Table::Operations => ("operations", "next_try_at", "tries = tries + 1, ", "tries"),
            Table::Sessions => ("sessions", "due_at", "", "0::bigint"),
        };
        out.push_sql("WITH due AS MATERIALIZED (SELECT id AS due_id FROM ");
        out.push_sql(table);
        out.push_sql(" WHERE ");
        out.push_sql(due);
        out.push_sql(" <= ");
        out.push_bind_param::<sql_types::Timestamptz, _>(&self.now)?;
        out.push_sql(" AND (leased_until IS NULL OR leased_until <= now()) ORDER BY ");
        out.push_sql(due);
        out.push_sql(" LIMIT ");
        out.push_bind_param::<sql_types::BigInt, _>(&self.limit)?;
        out.push_sql(" FOR NO KEY UPDATE SKIP LOCKED) UPDATE ");
        out.push_sql(table);
        out.push_sql(" SET ");
        out.push_sql(set);
        out.push_sql("leased_until = now() + ");
        out.push_bind_param::<sql_types::Interval, _>(&self.length)?;
        out.push_sql(", lease_token = ");
        out.push_bind_param::<sql_types::Uuid, _>(&self.token)?;
        out.push_sql(" FROM due WHERE id = due_id RETURNING id, ");
        out.push_sql(tries);
        out.push_sql(", ");
        out.push_sql(due);
        Ok(())
    }
}

impl QueryFragment<Pg> for Renew {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql(match self.table {
            Table::Operations => "UPDATE operations",
            Table::Sessions => "UPDATE sessions",
        });
        out.push_sql(" SET leased_until = now() + ");
        out.push_bind_param::<sql_types::Interval, _>(&self.length)?;
        out.push_sql(" WHERE id = ");
        out.push_bind_param::<sql_types::Uuid, _>(&self.id)?;
        out.push_sql(" AND lease_token = ");
        out.push_bind_param::<sql_types::Uuid, _>(&self.token)?;
        out.push_sql(" AND leased_until > now()");
        Ok(())
    }
}

/// Both are told apart by their text, which depends on the table.
impl QueryId for Claim {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl QueryId for Renew {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl Query for Claim {
    type SqlType = (sql_types::Uuid, sql_types::BigInt, sql_types::Timestamptz);
}
