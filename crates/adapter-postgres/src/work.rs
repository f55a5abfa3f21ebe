//! Due work under leases: claimed with `FOR UPDATE SKIP LOCKED`, timed by the database's clock.

mod claim;
mod deliveries;
mod depths;
mod lease;
mod stuck;

use std::time::Duration;

use async_trait::async_trait;
use diesel::{dsl::select, prelude::*};
use oncharge_domain::{
    audit::AuditEntry,
    id::{NotificationId, OperationId, SessionId},
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
use oncharge_store_rows::{Bind, row_reader::RowReader, schema::operations};

use self::{
    claim::ClaimedRow,
    lease::{Release, Renew, WorkTable},
};
use crate::{
    audit,
    batch::Batch,
    clock::{database_clock, interval},
    store::PostgresStore,
};

pub(crate) use self::lease::HeldLease;

#[async_trait]
impl WorkQueue for PostgresStore {
    async fn now(&self) -> Result<Timestamp, StoreError> {
        let now: Vec<Option<Timestamp>> = self.read(select(database_clock())).await?;
        let now = now.first().copied().flatten();
        now.ok_or_else(|| StoreError::Failed("the database returned no time".into()))
    }

    async fn claim_operations(
        &self,
        wanted: &ClaimFilter,
        lease: Duration,
    ) -> Result<Vec<ClaimedOperation>, StoreError> {
        let token = self.entropy.lease_token();
        let claimed =
            claim::claim_oldest(self, WorkTable::Operations, wanted, token, lease).await?;
        let read = |((id, tries, account), _): ClaimedRow| {
            let operation = OperationId::from_uuid(id);
            let item = LeasedItem::Operation(operation);
            let reader = RowReader::of("operations", operation);
            Ok(ClaimedOperation {
                operation,
                account: AccountName::from_text(account),
                lease: Lease { item, token },
                tries: reader.count("tries", tries)?,
            })
        };
        claimed.into_iter().map(read).collect()
    }

    async fn claim_sessions(
        &self,
        wanted: &ClaimFilter,
        lease: Duration,
    ) -> Result<Vec<ClaimedSession>, StoreError> {
        let token = self.entropy.lease_token();
        let claimed = claim::claim_oldest(self, WorkTable::Sessions, wanted, token, lease).await?;
        let read = |((id, _, account), due_at): ClaimedRow| {
            let session = SessionId::from_uuid(id);
            let item = LeasedItem::Session(session);
            let reader = RowReader::of("sessions", session);
            Ok(ClaimedSession {
                session,
                due_at: reader.value("due_at", due_at)?,
                account: AccountName::from_text(account),
                lease: Lease { item, token },
            })
        };
        claimed.into_iter().map(read).collect()
    }

    async fn claim_notifications(
        &self,
        wanted: &ClaimFilter,
        lease: Duration,
    ) -> Result<Vec<ClaimedNotification>, StoreError> {
        let token = self.entropy.lease_token();
        let claimed =
            claim::claim_oldest(self, WorkTable::Notifications, wanted, token, lease).await?;
        let read = |((id, tries, account), _): ClaimedRow| {
            let notification = NotificationId::from_uuid(id);
            let item = LeasedItem::Notification(notification);
            let reader = RowReader::of("psp_notifications", notification);
            Ok(ClaimedNotification {
                notification,
                account: AccountName::from_text(account),
                lease: Lease { item, token },
                tries: reader.count("tries", tries)?,
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
        let renew = Renew {
            held: HeldLease::of(lease),
            length: interval(length)?,
        };
        Ok(self.write(renew).await? == 1)
    }

    async fn release(&self, lease: Lease, next_try_at: Timestamp) -> Result<(), StoreError> {
        let release = Release {
            held: HeldLease::of(lease),
            next: next_try_at,
        };
        self.write(release).await?;
        Ok(())
    }

    async fn make_all_due(&self, present: Timestamp) -> Result<(), StoreError> {
        use operations::{leased_until, next_try_at, table};
        let idle = table
            .filter(next_try_at.gt(Bind(present)))
            .filter(leased_until.is_null().or(leased_until.le(database_clock())));
        let write = diesel::update(idle).set(next_try_at.eq(Bind(present)));
        self.write(write).await?;
        Ok(())
    }

    async fn depths(&self, now: Timestamp) -> Result<Vec<QueueDepth>, StoreError> {
        depths::depths(self, now).await
    }

    async fn dismiss_contradiction(
        &self,
        operation: OperationId,
        audit: &AuditEntry,
    ) -> Result<bool, StoreError> {
        use operations::{contradiction, table};
        let listed = table
            .find(Bind(operation))
            .filter(contradiction.eq(Contradiction::Listed.name()));
        let pooled = self.pool.get().await?;
        let mut batch = Batch::new(&pooled);
        let dismissed = contradiction.eq(Contradiction::Dismissed.name());
        batch.require(diesel::update(listed).set(dismissed), ());
        audit::write(&mut batch, audit);
        batch.try_commit().await
    }

    async fn stuck(&self, now: Timestamp, limit: u32) -> Result<Vec<StuckItem>, StoreError> {
        stuck::stuck(self, now, limit).await
    }
}
