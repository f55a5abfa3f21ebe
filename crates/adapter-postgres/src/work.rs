//! Due work under leases: claimed with `FOR UPDATE SKIP LOCKED`, timed by the database's clock.

mod lease;

use std::time::Duration;

use async_trait::async_trait;
use diesel::{
    dsl::{case_when, count_star, min},
    pg::data_types::PgInterval,
    prelude::*,
};
use lease::{Claim, Renew, Table};
use oncharge_domain::{
    id::{OperationId, SessionId, UnitId},
    time::Timestamp,
};
use oncharge_ports::{
    StoreError, WorkQueue,
    unit_of_work::{Lease, LeasedItem},
    work_queue::{ClaimedOperation, ClaimedSession, QueueDepth},
};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    error::corrupt,
    rows::{at, unfit},
    schema::{database_clock, operations, sessions},
    store::PostgresStore,
};

#[async_trait]
impl WorkQueue for PostgresStore {
    async fn claim_operations(
        &self,
        now: Timestamp,
        limit: u32,
        lease: Duration,
    ) -> Result<Vec<ClaimedOperation>, StoreError> {
        let token = self.entropy.id(now);
        let claimed = self
            .claim(Table::Operations, now, limit, (token, lease))
            .await?;
        let read = |(id, tries): (Uuid, i64)| {
            let operation = OperationId::from_uuid(id);
            let item = LeasedItem::Operation(operation);
            let bad = |_| corrupt("operations", "tries", operation.to_string());
            Ok(ClaimedOperation {
                operation,
                lease: Lease { item, token },
                tries: tries.try_into().map_err(bad)?,
            })
        };
        claimed.into_iter().map(read).collect()
    }

    async fn claim_sessions(
        &self,
        now: Timestamp,
        limit: u32,
        lease: Duration,
    ) -> Result<Vec<ClaimedSession>, StoreError> {
        let token = self.entropy.id(now);
        let claimed = self
            .claim(Table::Sessions, now, limit, (token, lease))
            .await?;
        let read = |(id, _): (Uuid, i64)| {
            let session = SessionId::from_uuid(id);
            let item = LeasedItem::Session(session);
            ClaimedSession {
                session,
                lease: Lease { item, token },
            }
        };
        Ok(claimed.into_iter().map(read).collect())
    }

    async fn renew(&self, lease: Lease, length: Duration) -> Result<bool, StoreError> {
        let (table, id) = match lease.item {
            LeasedItem::Operation(id) => (Table::Operations, id.uuid()),
            LeasedItem::Session(id) => (Table::Sessions, id.uuid()),
        };
        let renew = Renew {
            table,
            id,
            token: lease.token.uuid(),
            length: interval(length)?,
        };
        Ok(self.write(renew).await? == 1)
    }

    async fn release(&self, lease: Lease, next_try_at: Timestamp) -> Result<(), StoreError> {
        let token = lease.token.uuid();
        let present = database_clock();
        let nobody = (None::<OffsetDateTime>, None::<Uuid>);
        match lease.item {
            LeasedItem::Operation(id) => {
                use operations::{lease_token, leased_until, next_try_at as next, table};
                let held = table
                    .find(id.uuid())
                    .filter(lease_token.eq(token))
                    .filter(leased_until.gt(present));
                // One that is final has no next try, and gets none.
                let later = case_when(next.is_not_null(), Some(at(next_try_at)));
                let free = (leased_until.eq(nobody.0), lease_token.eq(nobody.1));
                let write = diesel::update(held).set((free, next.eq(later)));
                self.write(write).await?;
            }
            LeasedItem::Session(id) => {
                use sessions::{lease_token, leased_until, table};
                let held = table
                    .find(id.uuid())
                    .filter(lease_token.eq(token))
                    .filter(leased_until.gt(present));
                let free = (leased_until.eq(nobody.0), lease_token.eq(nobody.1));
                self.write(diesel::update(held).set(free)).await?;
            }
        }
        Ok(())
    }

    async fn wake_all(&self, present: Timestamp) -> Result<(), StoreError> {
        use operations::{leased_until, next_try_at, table};
        let idle = table
            .filter(next_try_at.gt(at(present)))
            .filter(leased_until.is_null().or(leased_until.le(database_clock())));
        let write = diesel::update(idle).set(next_try_at.eq(at(present)));
        self.write(write).await?;
        Ok(())
    }

    async fn depth(&self) -> Result<QueueDepth, StoreError> {
        let query = operations::table
            .filter(operations::next_try_at.is_not_null())
            .select((count_star(), min(operations::created_at)));
        let found: Vec<(i64, Option<OffsetDateTime>)> = self.read(query).await?;
        let (count, oldest) = found.into_iter().next().unwrap_or_default();
        Ok(QueueDepth {
            open_operations: count.try_into().map_err(unfit)?,
            oldest: oldest.map(Timestamp::new),
        })
    }
}

impl PostgresStore {
    /// Claims what is due, oldest first: ids, and how often each was claimed.
    async fn claim(
        &self,
        table: Table,
        now: Timestamp,
        limit: u32,
        (token, length): (UnitId, Duration),
    ) -> Result<Vec<(Uuid, i64)>, StoreError> {
        let claim = Claim {
            table,
            now: at(now),
            limit: limit.into(),
            length: interval(length)?,
            token: token.uuid(),
        };
        let mut claimed: Vec<(Uuid, i64, OffsetDateTime)> = self.read(claim).await?;
        claimed.sort_by_key(|(id, _, due)| (*due, *id));
        Ok(claimed
            .into_iter()
            .map(|(id, tries, _)| (id, tries))
            .collect())
    }
}

fn interval(length: Duration) -> Result<PgInterval, StoreError> {
    let micros = i64::try_from(length.as_micros()).map_err(unfit)?;
    Ok(PgInterval::from_microseconds(micros))
}
