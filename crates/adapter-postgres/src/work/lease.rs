//! The statements about leases that Diesel's own words cannot say for every table at once; prepared
//! and kept like all others.

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

/// What can be leased.
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

    /// The column that says when it is due.
    fn due(self) -> &'static str {
        match self {
            Self::Sessions => "due_at",
            Self::Operations | Self::Notifications | Self::Deliveries => "next_try_at",
        }
    }

    /// The column that counts the claims, where there is one.
    fn tries(self) -> Option<&'static str> {
        match self {
            Self::Operations | Self::Notifications => Some("tries"),
            Self::Sessions | Self::Deliveries => None,
        }
    }
}

/// Gives due rows that nobody holds to a new claim: id, number of claims, account, and when it was
/// due.
///
/// The rows are picked in a CTE of its own, so that its limit holds whatever plan is chosen, and
/// rows that another worker is just claiming are passed over. They are handed on as an array, for
/// which no plan reads the whole table.
#[derive(Debug)]
pub(super) struct Claim<'a> {
    pub(super) table: WorkTable,
    pub(super) limit: i64,
    /// The accounts of which nothing is wanted.
    pub(super) busy: Vec<&'a str>,
    pub(super) length: PgInterval,
    pub(super) token: Uuid,
}

/// The row of a lease, if that holds; locked until the end of the transaction.
#[derive(Debug)]
pub(crate) struct HeldLease {
    table: WorkTable,
    id: Uuid,
    token: Uuid,
}

/// Lengthens a lease that holds.
#[derive(Debug)]
pub(super) struct Renew {
    pub(super) held: HeldLease,
    pub(super) length: PgInterval,
}

/// Ends a lease that holds; what is not over is due again at this time, a session as it was.
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

    /// Adds the condition that it holds.
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
            // One that is over has no next try, and gets none.
            out.push_sql(", next_try_at = CASE WHEN next_try_at IS NOT NULL THEN ");
            out.push_bind_param::<sql_types::Timestamptz, _>(&self.next)?;
            out.push_sql(" END");
        }
        self.held.condition(&mut out)
    }
}

/// All of them are told apart by their text, which depends on the table.
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
