//! The work queue: due work, leased by the database's clock.

mod claim;
mod deliveries;
mod depths;
mod lease;
mod stuck;

use std::time::Duration;

use async_trait::async_trait;
use diesel::{dsl::sql, prelude::*, sql_types::Nullable};
use oncharge_domain::{
    audit::AuditEntry, id::OperationId, operation::Contradiction, time::Timestamp,
};
use oncharge_ports::{
    StoreError, WorkQueue,
    unit_of_work::{Lease, LeasedItem},
    work_queue::{
        ClaimFilter, ClaimedDelivery, ClaimedNotification, ClaimedOperation, ClaimedSession,
        DeliveryClaimFilter, QueueDepth, StuckItem,
    },
};
use oncharge_store_rows::{
    Bind, row_reader::RowReader, rows::audit::AuditRow, schema::operations, sql_types::Instant,
};

use self::{
    claim::ClaimedRow,
    lease::{NOTIFICATIONS, OPERATIONS, SESSIONS},
};
use crate::{
    audit,
    clock::{CLOCK, interval},
    error,
    store::SqliteStore,
    writer::Priority,
};

pub(crate) use self::lease::is_held;

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
            let operation = claimed.id();
            Ok(ClaimedOperation {
                operation,
                account: claimed.account(),
                lease: claimed.lease(LeasedItem::Operation(operation)),
                tries: claimed.tries(&OPERATIONS)?,
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
            let session = claimed.id();
            let reader = RowReader::of(SESSIONS.table, session);
            Ok(ClaimedSession {
                session,
                account: claimed.account(),
                lease: claimed.lease(LeasedItem::Session(session)),
                due_at: reader.value(SESSIONS.due, claimed.due.at)?,
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
            let notification = claimed.id();
            Ok(ClaimedNotification {
                notification,
                account: claimed.account(),
                lease: claimed.lease(LeasedItem::Notification(notification)),
                tries: claimed.tries(&NOTIFICATIONS)?,
            })
        };
        claimed.into_iter().map(read).collect()
    }

    async fn claim_deliveries(
        &self,
        wanted: &DeliveryClaimFilter,
        lease: Duration,
    ) -> Result<Vec<ClaimedDelivery>, StoreError> {
        deliveries::claim(self, wanted, lease).await
    }

    async fn renew(&self, lease: Lease, length: Duration) -> Result<bool, StoreError> {
        let renewed = self.write(Priority::Renewal, move |connection| {
            lease::renew(connection, lease, interval(length)).map_err(error::commit)
        });
        renewed.await.map_err(error::into_store_error)
    }

    async fn release(&self, lease: Lease, next_try_at: Timestamp) -> Result<(), StoreError> {
        let released = self.write(Priority::Worker, move |connection| {
            lease::release(connection, lease, next_try_at).map_err(error::commit)
        });
        released.await.map_err(error::into_store_error)
    }

    async fn make_all_due(&self, now: Timestamp) -> Result<(), StoreError> {
        let woken = self.write(Priority::Worker, move |connection| {
            let clock = sql::<Nullable<Instant>>(CLOCK);
            let free = operations::leased_until
                .is_null()
                .or(operations::leased_until.le(clock));
            let later = operations::table
                .filter(operations::next_try_at.gt(Bind(now)))
                .filter(free);
            let update = diesel::update(later).set(operations::next_try_at.eq(Bind(now)));
            update.execute(connection).map_err(error::commit)?;
            Ok(())
        });
        woken.await.map_err(error::into_store_error)
    }

    async fn depths(&self, now: Timestamp) -> Result<Vec<QueueDepth>, StoreError> {
        depths::depths(self, now)
    }

    async fn dismiss_contradiction(
        &self,
        operation: OperationId,
        audit: &AuditEntry,
    ) -> Result<bool, StoreError> {
        let audit = AuditRow::from(audit);
        let dismissed = self.write(Priority::Request, move |connection| {
            let name = |known: Contradiction| operations::contradiction.eq(known.name());
            let row = operations::table.find(Bind(operation));
            let listed = row.filter(name(Contradiction::Listed));
            let update = diesel::update(listed).set(name(Contradiction::Dismissed));
            if update.execute(connection).map_err(error::commit)? == 0 {
                return Ok(false);
            }
            audit::write(connection, [audit])?;
            Ok(true)
        });
        dismissed.await.map_err(error::into_store_error)
    }

    async fn stuck(&self, now: Timestamp, limit: u32) -> Result<Vec<StuckItem>, StoreError> {
        stuck::stuck(self, now, limit)
    }
}
