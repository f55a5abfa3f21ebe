//! The work queue: due work, leased by the database's clock.

mod claim;
mod deliveries;
mod depths;
mod lease;

use std::time::Duration;

use async_trait::async_trait;
use diesel::{
    dsl::sql,
    prelude::*,
    sql_types::{BigInt, Nullable},
};
use oncharge_domain::{
    audit::AuditEntry,
    id::{Id, Kind, OperationId},
    operation::Contradiction,
    time::Timestamp,
};
use oncharge_ports::{
    StoreError, WorkQueue,
    unit_of_work::{Lease, LeasedItem},
    work_queue::{
        AccountName, ClaimFilter, ClaimedDelivery, ClaimedNotification, ClaimedOperation,
        ClaimedSession, DeliveryClaimFilter, QueueDepth, StuckItem,
    },
};

use self::{
    claim::{ClaimedRow, Due},
    deliveries::DeliveryQuery,
    lease::{DELIVERIES, NOTIFICATIONS, OPERATIONS, SESSIONS},
};
use crate::{
    commit::write_audit,
    error,
    rows::{RowReader, audit::AuditRow, id_bytes, operation::contradiction_name},
    schema::operations,
    store::SqliteStore,
    stuck,
    writer::Priority,
};

pub(crate) use self::{
    claim::micros,
    deliveries::EARLIER_DELIVERY,
    lease::{CLOCK, is_held},
};

impl ClaimedRow {
    /// Parses the id, which is from this table.
    fn id<K: Kind>(&self, table: &'static str) -> Result<Id<K>, StoreError> {
        RowReader::of(table, &self.due.id).id("id", &self.due.id)
    }

    /// The number of claims, this one included.
    fn tries(&self, table: &'static str) -> Result<u32, StoreError> {
        RowReader::of(table, &self.due.id).count("tries", self.tries)
    }

    fn account(&self) -> AccountName {
        AccountName::from_text(self.due.account.clone().unwrap_or_default())
    }

    fn lease(&self, item: LeasedItem) -> Lease {
        Lease {
            item,
            token: self.token,
        }
    }
}

#[async_trait]
impl WorkQueue for SqliteStore {
    async fn now(&self) -> Result<Timestamp, StoreError> {
        Ok(self.clock().now())
    }

    async fn claim_operations(
        &self,
        wanted: &ClaimFilter,
        lease: Duration,
    ) -> Result<Vec<ClaimedOperation>, StoreError> {
        let claimed = claim::claim_oldest(self, &OPERATIONS, wanted, lease).await?;
        let read = |claimed: ClaimedRow| {
            let operation = claimed.id(OPERATIONS.table)?;
            Ok(ClaimedOperation {
                operation,
                account: claimed.account(),
                lease: claimed.lease(LeasedItem::Operation(operation)),
                tries: claimed.tries(OPERATIONS.table)?,
            })
        };
        claimed.into_iter().map(read).collect()
    }

    async fn claim_sessions(
        &self,
        wanted: &ClaimFilter,
        lease: Duration,
    ) -> Result<Vec<ClaimedSession>, StoreError> {
        let claimed = claim::claim_oldest(self, &SESSIONS, wanted, lease).await?;
        let read = |claimed: ClaimedRow| {
            let session = claimed.id(SESSIONS.table)?;
            Ok(ClaimedSession {
                session,
                due_at: RowReader::of(SESSIONS.table, &claimed.due.id)
                    .time("due_at", claimed.due.at)?,
                account: claimed.account(),
                lease: claimed.lease(LeasedItem::Session(session)),
            })
        };
        claimed.into_iter().map(read).collect()
    }

    async fn claim_notifications(
        &self,
        wanted: &ClaimFilter,
        lease: Duration,
    ) -> Result<Vec<ClaimedNotification>, StoreError> {
        let claimed = claim::claim_oldest(self, &NOTIFICATIONS, wanted, lease).await?;
        let read = |claimed: ClaimedRow| {
            let notification = claimed.id(NOTIFICATIONS.table)?;
            Ok(ClaimedNotification {
                notification,
                account: claimed.account(),
                lease: claimed.lease(LeasedItem::Notification(notification)),
                tries: claimed.tries(NOTIFICATIONS.table)?,
            })
        };
        claimed.into_iter().map(read).collect()
    }

    async fn claim_deliveries(
        &self,
        wanted: &DeliveryClaimFilter,
        lease: Duration,
    ) -> Result<Vec<ClaimedDelivery>, StoreError> {
        let wanted = DeliveryQuery::of(self.clock().now(), wanted)?;
        let due = move |connection: &mut SqliteConnection, found: Option<&[Due]>| {
            let most = found.map(|found| i64::try_from(found.len()).unwrap_or(i64::MAX));
            wanted.due(connection, most)
        };
        let claimed = claim::claim(self, &DELIVERIES, due, lease).await?;
        let read = |claimed: ClaimedRow| {
            let event = claimed.id(DELIVERIES.table)?;
            let reader = RowReader::of(DELIVERIES.table, &claimed.due.id);
            let merchant = reader.optional_id("merchant_id", claimed.due.merchant.as_deref())?;
            Ok(ClaimedDelivery {
                event,
                merchant: reader.require("merchant_id", merchant)?,
                lease: claimed.lease(LeasedItem::Delivery(event)),
            })
        };
        claimed.into_iter().map(read).collect()
    }

    async fn renew(&self, lease: Lease, length: Duration) -> Result<bool, StoreError> {
        let renewed = self.write(Priority::Renewal, move |connection| {
            lease::renew(connection, lease, claim::micros(length)).map_err(error::commit)
        });
        renewed.await.map_err(error::into_store_error)
    }

    async fn release(&self, lease: Lease, next_try_at: Timestamp) -> Result<(), StoreError> {
        let released = self.write(Priority::Worker, move |connection| {
            lease::release(connection, lease, next_try_at.unix_micros()).map_err(error::commit)
        });
        released.await.map_err(error::into_store_error)
    }

    async fn make_all_due(&self, now: Timestamp) -> Result<(), StoreError> {
        let now = now.unix_micros();
        let woken = self.write(Priority::Worker, move |connection| {
            let clock = sql::<Nullable<BigInt>>(CLOCK);
            let free = operations::leased_until
                .is_null()
                .or(operations::leased_until.le(clock));
            let later = operations::table
                .filter(operations::next_try_at.gt(now))
                .filter(free);
            let update = diesel::update(later).set(operations::next_try_at.eq(now));
            update.execute(connection).map_err(error::commit)?;
            Ok(())
        });
        woken.await.map_err(error::into_store_error)
    }

    async fn depths(&self, now: Timestamp) -> Result<Vec<QueueDepth>, StoreError> {
        self.read(|connection| depths::depths(connection, now.unix_micros()))
    }

    async fn dismiss_contradiction(
        &self,
        operation: OperationId,
        audit: &AuditEntry,
    ) -> Result<bool, StoreError> {
        let audit = AuditRow::of(audit);
        let dismissed = self.write(Priority::Request, move |connection| {
            let name = |known| operations::contradiction.eq(contradiction_name(known));
            let row = operations::table.find(id_bytes(operation));
            let listed = row.filter(name(Contradiction::Listed));
            let update = diesel::update(listed).set(name(Contradiction::Dismissed));
            if update.execute(connection).map_err(error::commit)? == 0 {
                return Ok(false);
            }
            write_audit(connection, [audit])?;
            Ok(true)
        });
        dismissed.await.map_err(error::into_store_error)
    }

    async fn stuck(&self, now: Timestamp, limit: u32) -> Result<Vec<StuckItem>, StoreError> {
        self.read(|connection| stuck::stuck(connection, now, limit))
    }
}
