//! The inbox: what PSPs have told, sealed, kept before anything is done about it.

use async_trait::async_trait;
use diesel::prelude::*;
use oncharge_domain::{
    audit::AuditEntry,
    id::{Id, NotificationId},
};
use oncharge_ports::{
    CommitError, Inbox, StoreError,
    inbox::{NewNotification, NotificationStatus, Settled, StoredNotification},
    unit_of_work::LeasedItem,
};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    batch::Batch,
    commit::{Blame, outcome_beside_sessions},
    rows::{audit::AuditRow, notification::NotificationRow},
    schema::{audit_log, database_clock, psp_notifications},
    store::PostgresStore,
};

#[async_trait]
impl Inbox for PostgresStore {
    async fn receive(&self, new: &NewNotification) -> Result<bool, StoreError> {
        use psp_notifications::{account, connector, event_key, table};
        let write = diesel::insert_into(table)
            .values(NotificationRow::seal(new, &self.sealer)?)
            .on_conflict((connector, account, event_key))
            .do_nothing();
        Ok(self.write(write).await? == 1)
    }

    async fn notification(
        &self,
        id: NotificationId,
    ) -> Result<Option<StoredNotification>, StoreError> {
        let query = psp_notifications::table
            .find(id.uuid())
            .select(NotificationRow::as_select());
        let found: Vec<NotificationRow> = self.read(query).await?;
        let open = |row: NotificationRow| row.open(&self.sealer);
        found.into_iter().next().map(open).transpose()
    }

    async fn settle(&self, settled: &Settled) -> Result<(), CommitError> {
        use psp_notifications::{
            lease_token, leased_until, next_try_at, operation_id, session_id, status, table,
        };
        // Only a notification's lease can be over here.
        let LeasedItem::Notification(id) = settled.lease.item else {
            return Err(CommitError::LeaseLost);
        };
        let held = table
            .find(id.uuid())
            .filter(lease_token.eq(settled.lease.token.uuid()))
            .filter(leased_until.gt(database_clock()));
        let write = diesel::update(held).set((
            status.eq(settled.status.name()),
            operation_id.eq(settled.operation.map(Id::uuid)),
            session_id.eq(settled.session.map(Id::uuid)),
            next_try_at.eq(None::<OffsetDateTime>),
            leased_until.eq(None::<OffsetDateTime>),
            lease_token.eq(None::<Uuid>),
        ));
        let lent = self.pool.get().await?;
        let mut batch = Batch::new(&lent);
        batch.require(write, Blame::Lease);
        if let Some(entry) = &settled.audit {
            batch.add(AuditRow::from(entry).insert_into(audit_log::table));
        }
        batch.commit().await.map_err(outcome_beside_sessions)
    }

    async fn dismiss(&self, id: NotificationId, audit: &AuditEntry) -> Result<bool, StoreError> {
        use psp_notifications::{status, table};
        let all = NotificationStatus::ALL.iter();
        let stuck: Vec<&'static str> = all
            .filter(|kind| kind.is_stuck())
            .map(|kind| kind.name())
            .collect();
        let listed = table.find(id.uuid()).filter(status.eq_any(stuck));
        let dismissed = NotificationStatus::Dismissed.name();
        let lent = self.pool.get().await?;
        let mut batch = Batch::new(&lent);
        batch.require(diesel::update(listed).set(status.eq(dismissed)), ());
        batch.add(AuditRow::from(audit).insert_into(audit_log::table));
        batch.commit_if_there().await
    }
}
