//! Lease statements that Diesel's query builder cannot express for every table; prepared and cached
//! like all others.

use diesel::{
    pg::{Pg, data_types::PgInterval},
    prelude::*,
    query_builder::{AstPass, QueryFragment, QueryId},
};
use oncharge_domain::{id::UnitId, time::Timestamp};
use oncharge_ports::unit_of_work::{Lease, LeasedItem};
use oncharge_store_rows::sql_types;
use uuid::Uuid;

/// The tables with leases.
#[derive(Clone, Copy, Debug)]
pub(super) enum WorkTable {
    Operations,
    Sessions,
    Notifications,
    Deliveries,
}

impl WorkTable {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Operations => "operations",
            Self::Sessions => "sessions",
            Self::Notifications => "psp_notifications",
            Self::Deliveries => "deliveries",
        }
    }

    /// The column of the primary key.
    pub(super) fn key(self) -> &'static str {
        match self {
            Self::Operations | Self::Sessions | Self::Notifications => "id",
            Self::Deliveries => "event_id",
        }
    }

    /// The column of the due time.
    pub(super) fn due(self) -> &'static str {
        match self {
            Self::Sessions => "due_at",
            Self::Operations | Self::Notifications | Self::Deliveries => "next_try_at",
        }
    }

    /// The column that counts the claims, if there is one.
    pub(super) fn tries(self) -> Option<&'static str> {
        match self {
            Self::Operations | Self::Notifications => Some("tries"),
            Self::Sessions | Self::Deliveries => None,
        }
    }
}

/// Selects the row of a lease that is held, and locks it until the end of the transaction.
#[derive(Debug)]
pub(crate) struct HeldLease {
    table: WorkTable,
    id: Uuid,
    token: UnitId,
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
    pub(super) next: Timestamp,
}

impl HeldLease {
    pub(crate) fn of(lease: Lease) -> Self {
        let (table, id) = match lease.item {
            LeasedItem::Operation(id) => (WorkTable::Operations, id.uuid()),
            LeasedItem::Session(id) => (WorkTable::Sessions, id.uuid()),
            LeasedItem::Notification(id) => (WorkTable::Notifications, id.uuid()),
            LeasedItem::Delivery(event) => (WorkTable::Deliveries, event.uuid()),
        };
        let token = lease.token;
        Self { table, id, token }
    }

    /// Adds the condition that the lease is held.
    fn condition<'b>(&'b self, out: &mut AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql(" WHERE ");
        out.push_sql(self.table.key());
        out.push_sql(" = ");
        out.push_bind_param::<sql_types::Id, _>(&self.id)?;
        out.push_sql(" AND lease_token = ");
        out.push_bind_param::<sql_types::Id, _>(&self.token)?;
        out.push_sql(" AND leased_until > now()");
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
        out.push_bind_param::<diesel::sql_types::Interval, _>(&self.length)?;
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
            out.push_bind_param::<sql_types::Instant, _>(&self.next)?;
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

identified_by_text!(HeldLease, Renew, Release);
