//! Due work under leases: claimed with `FOR UPDATE SKIP LOCKED`, timed by the database's clock.

mod deliveries;
mod depths;
mod lease;

use std::time::Duration;

use async_trait::async_trait;
use diesel::{dsl::select, pg::data_types::PgInterval, prelude::*};
pub(crate) use lease::HeldLease;
use lease::{Claim, Release, Renew, WorkTable};
use oncharge_domain::{
    audit::AuditEntry,
    id::{NotificationId, OperationId, SessionId, UnitId},
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
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    batch::Batch,
    error::corrupt,
    rows::{
        at,
        audit::AuditRow,
        conversion_error,
        operation::{DISMISSED, LISTED},
    },
    schema::{audit_log, database_clock, operations},
    store::PostgresStore,
    stuck,
};

#[async_trait]
impl WorkQueue for PostgresStore {
    async fn now(&self) -> Result<Timestamp, StoreError> {
        let now: Vec<Option<OffsetDateTime>> = self.read(select(database_clock())).await?;
        let now = now.first().copied().flatten();
        let now = now.ok_or_else(|| StoreError::Failed("the database returned no time".into()))?;
        Ok(Timestamp::new(now))
    }

    async fn claim_operations(
        &self,
        wanted: &ClaimFilter,
        lease: Duration,
    ) -> Result<Vec<ClaimedOperation>, StoreError> {
        let token = self.entropy.lease_token();
        let claimed = self
            .claim(WorkTable::Operations, wanted, token, lease)
            .await?;
        let read = |((id, tries, account), _): ClaimedRow| {
            let operation = OperationId::from_uuid(id);
            let item = LeasedItem::Operation(operation);
            let bad = |_| corrupt("operations", "tries", operation.to_string());
            Ok(ClaimedOperation {
                operation,
                account: AccountName::from_text(account),
                lease: Lease { item, token },
                tries: tries.try_into().map_err(bad)?,
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
        let claimed = self
            .claim(WorkTable::Sessions, wanted, token, lease)
            .await?;
        let read = |((id, _, account), due_at): ClaimedRow| {
            let session = SessionId::from_uuid(id);
            let item = LeasedItem::Session(session);
            ClaimedSession {
                session,
                due_at: Timestamp::new(due_at),
                account: AccountName::from_text(account),
                lease: Lease { item, token },
            }
        };
        Ok(claimed.into_iter().map(read).collect())
    }

    async fn claim_notifications(
        &self,
        wanted: &ClaimFilter,
        lease: Duration,
    ) -> Result<Vec<ClaimedNotification>, StoreError> {
        let token = self.entropy.lease_token();
        let claimed = self
            .claim(WorkTable::Notifications, wanted, token, lease)
            .await?;
        let read = |((id, tries, account), _): ClaimedRow| {
            let notification = NotificationId::from_uuid(id);
            let item = LeasedItem::Notification(notification);
            let bad = |_| corrupt("psp_notifications", "tries", notification.to_string());
            Ok(ClaimedNotification {
                notification,
                account: AccountName::from_text(account),
                lease: Lease { item, token },
                tries: tries.try_into().map_err(bad)?,
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
            next: at(next_try_at),
        };
        self.write(release).await?;
        Ok(())
    }

    async fn make_all_due(&self, present: Timestamp) -> Result<(), StoreError> {
        use operations::{leased_until, next_try_at, table};
        let idle = table
            .filter(next_try_at.gt(at(present)))
            .filter(leased_until.is_null().or(leased_until.le(database_clock())));
        let write = diesel::update(idle).set(next_try_at.eq(at(present)));
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
            .find(operation.uuid())
            .filter(contradiction.eq(LISTED));
        let pooled = self.pool.get().await?;
        let mut batch = Batch::new(&pooled);
        batch.require(diesel::update(listed).set(contradiction.eq(DISMISSED)), ());
        batch.add(AuditRow::from(audit).insert_into(audit_log::table));
        batch.try_commit().await
    }

    async fn stuck(&self, now: Timestamp, limit: u32) -> Result<Vec<StuckItem>, StoreError> {
        stuck::stuck(self, now, limit).await
    }
}

/// A claimed row: its id, number of claims and account; then its due time.
type ClaimedRow = ((Uuid, i64, String), OffsetDateTime);

impl PostgresStore {
    /// Claims due items, oldest first.
    async fn claim(
        &self,
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
            token: token.uuid(),
        };
        let mut claimed: Vec<ClaimedRow> = self.read(claim).await?;
        claimed.sort_by_key(|((id, ..), due)| (*due, *id));
        Ok(claimed)
    }
}

pub(crate) fn interval(length: Duration) -> Result<PgInterval, StoreError> {
    let micros = i64::try_from(length.as_micros()).map_err(conversion_error)?;
    Ok(PgInterval::from_microseconds(micros))
}
