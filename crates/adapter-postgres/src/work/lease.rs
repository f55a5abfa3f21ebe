//! Lease statements that Diesel's query builder cannot express for every table; prepared and cached
//! like all others.

use diesel::{
    pg::{Pg, data_types::PgInterval},
    prelude::*,
    query_builder::{AstPass, Query, QueryFragment, QueryId},
    sql_types,
};
use oncharge_ports::unit_of_work::{Lease, LeasedItem};
use time::OffsetDateTime;
use uuid::Uuid;

/// The account of a row, as `AccountName` has it.
const ACCOUNT: &str = "(connector || '/' || account)";

/// The tables with leases.
#[derive(Clone, Copy, Debug)]
pub(super) enum WorkTable {
    Operations,
    Sessions,
    Notifications,
    Deliveries,
}

impl WorkTable {
    fn name(self) -> &'static str {
        match self {
            Self::Operations => "operations",
            Self::Sessions => "sessions",
            Self::Notifications => "psp_notifications",
            Self::Deliveries => "deliveries",
        }
    }

    /// The column of the primary key.
    fn key(self) -> &'static str {
        match self {
            Self::Operations | Self::Sessions | Self::Notifications => "id",
            Self::Deliveries => "event_id",
        }
    }

    /// The column of the due time.
    fn due(self) -> &'static str {
        match self {
            Self::Sessions => "due_at",
            Self::Operations | Self::Notifications | Self::Deliveries => "next_try_at",
        }
    }

    /// The column that counts the claims, if there is one.
    fn tries(self) -> Option<&'static str> {
        match self {
            Self::Operations | Self::Notifications => Some("tries"),
            Self::Sessions | Self::Deliveries => None,
        }
    }
}

/// Leases due rows that are free; returns id, number of claims, account and due time.
///
/// The rows are selected in a separate CTE, so that its limit holds whatever plan is chosen; rows
/// that another worker is claiming are skipped. They are passed on as an array, for which no plan
/// reads the whole table.
#[derive(Debug)]
pub(super) struct Claim<'a> {
    pub(super) table: WorkTable,
    pub(super) limit: i64,
    /// The accounts to skip.
    pub(super) busy: Vec<&'a str>,
    pub(super) length: PgInterval,
    pub(super) token: Uuid,
}

/// Selects the row of a lease that is held, and locks it until the end of the transaction.
#[derive(Debug)]
pub(crate) struct HeldLease {
    table: WorkTable,
    id: Uuid,
    token: Uuid,
}

/// Renews a lease that is held.
#[derive(Debug)]
pub(super) struct Renew {
    pub(super) held: HeldLease,
    pub(super) length: PgInterval,
}

/// Releases a lease that is held. An item that is not finished is due again at this time; a
/// session's due time is unchanged.
#[derive(Debug)]
pub(super) struct Release {
    pub(super) held: HeldLease,
    pub(super) next: OffsetDateTime,
}

impl HeldLease {
    pub(crate) fn of(lease: Lease) -> Self {
        let (table, id) = match lease.item {
            LeasedItem::Operation(id) => (WorkTable::Operations, id.uuid()),
            LeasedItem::Session(id) => (WorkTable::Sessions, id.uuid()),
            LeasedItem::Notification(id) => (WorkTable::Notifications, id.uuid()),
            LeasedItem::Delivery(event) => (WorkTable::Deliveries, event.uuid()),
        };
        let token = lease.token.uuid();
        Self { table, id, token }
    }

    /// Adds the condition that the lease is held.
    fn condition<'b>(&'b self, out: &mut AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql(" WHERE ");
        out.push_sql(self.table.key());
        out.push_sql(" = ");
        out.push_bind_param::<sql_types::Uuid, _>(&self.id)?;
        out.push_sql(" AND lease_token = ");
        out.push_bind_param::<sql_types::Uuid, _>(&self.token)?;
        out.push_sql(" AND leased_until > now()");
        Ok(())
    }
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
        out.push_bind_param::<sql_types::Array<sql_types::Text>, _>(&self.busy)?;
        out.push_sql(") ORDER BY ");
        out.push_sql(due);
        out.push_sql(" LIMIT ");
        out.push_bind_param::<sql_types::BigInt, _>(&self.limit)?;
        out.push_sql(" FOR NO KEY UPDATE SKIP LOCKED) UPDATE ");
        out.push_sql(table);
        out.push_sql(" SET ");
        if tries.is_some() {
            out.push_sql("tries = tries + 1, ");
        }
        out.push_sql("leased_until = now() + ");
        out.push_bind_param::<sql_types::Interval, _>(&self.length)?;
        out.push_sql(", lease_token = ");
        out.push_bind_param::<sql_types::Uuid, _>(&self.token)?;
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

impl QueryFragment<Pg> for HeldLease {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("SELECT ");
        out.push_sql(self.table.key());
        out.push_sql(" FROM ");
        out.push_sql(self.table.name());
        self.condition(&mut out)?;
        out.push_sql(" FOR NO KEY UPDATE");
        Ok(())
    }
}

impl QueryFragment<Pg> for Renew {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("UPDATE ");
        out.push_sql(self.held.table.name());
        out.push_sql(" SET leased_until = now() + ");
        out.push_bind_param::<sql_types::Interval, _>(&self.length)?;
        self.held.condition(&mut out)
    }
}

impl QueryFragment<Pg> for Release {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("UPDATE ");
        out.push_sql(self.held.table.name());
        out.push_sql(" SET leased_until = NULL, lease_token = NULL");
        if !matches!(self.held.table, WorkTable::Sessions) {
            // A finished item has no next try, and gets none.
            out.push_sql(", next_try_at = CASE WHEN next_try_at IS NOT NULL THEN ");
            out.push_bind_param::<sql_types::Timestamptz, _>(&self.next)?;
            out.push_sql(" END");
        }
        self.held.condition(&mut out)
    }
}

/// These statements are identified by their text, which depends on the table.
macro_rules! identified_by_text {
    ($($statement:ty),*) => {$(
        impl QueryId for $statement {
            type QueryId = ();
            const HAS_STATIC_QUERY_ID: bool = false;
        }
    )*};
}

identified_by_text!(Claim<'_>, HeldLease, Renew, Release);

impl Query for Claim<'_> {
    type SqlType = (
        (sql_types::Uuid, sql_types::BigInt, sql_types::Text),
        sql_types::Timestamptz,
    );
}
