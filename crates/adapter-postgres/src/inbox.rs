//! The inbox: notifications from PSPs, stored sealed before they are applied.

use async_trait::async_trait;
use diesel::{
    prelude::*,
    sql_query,
    sql_types::{BigInt, Nullable, Text},
};
use oncharge_domain::{audit::AuditEntry, id::NotificationId, psp::PspAccount};
use oncharge_ports::{
    CommitError, Inbox, StoreError,
    inbox::{
        NewNotification, NotificationOutcome, NotificationStatus, StoredNotification,
        StuckNotificationFilter,
    },
    unit_of_work::LeasedItem,
};
use oncharge_store_rows::{
    Bind,
    rows::notification::{NewNotificationRow, NotificationEnd, NotificationRow},
    schema::psp_notifications,
    sql_types::{Id, Instant},
};

use crate::{
    audit,
    batch::Batch,
    clock::database_clock,
    error::conversion_error,
    precondition::{Precondition, commit_error_outside_session},
    store::PostgresStore,
};

/// Skips locked rows; the next batch finds them again.
const DISMISS_ALL: &str = "
WITH dismissed AS (
    UPDATE psp_notifications SET status = 'dismissed' WHERE id = ANY (ARRAY(
        SELECT id FROM psp_notifications WHERE status = $1 AND received_at < $2
            AND ($3 IS NULL OR (connector = $3 AND account = $4))
        ORDER BY received_at LIMIT $5 FOR UPDATE SKIP LOCKED))
    RETURNING id
), counted AS (SELECT count(*) AS number FROM dismissed),
logged AS (
    INSERT INTO audit_log (id, created_at, action, detail)
    SELECT $6, $7, $8, number || ' ' || $9 FROM counted WHERE number > 0
)
SELECT number FROM counted";

#[derive(QueryableByName)]
struct DismissedCount {
    #[diesel(sql_type = BigInt)]
    number: i64,
}

#[async_trait]
impl Inbox for PostgresStore {
    async fn receive(&self, new: &NewNotification) -> Result<bool, StoreError> {
        use psp_notifications::{account, connector, event_key, table};
        let write = diesel::insert_into(table)
            .values(NewNotificationRow::seal(new, &self.sealer)?)
            .on_conflict((connector, account, event_key))
            .do_nothing();
        Ok(self.write(write).await? == 1)
    }

    async fn notification(
        &self,
        id: NotificationId,
    ) -> Result<Option<StoredNotification>, StoreError> {
        let query = psp_notifications::table
            .find(Bind(id))
            .select(NotificationRow::as_select());
        let found: Vec<NotificationRow> = self.read(query).await?;
        let open = |row: NotificationRow| row.open(&self.sealer);
        found.into_iter().next().map(open).transpose()
    }

    async fn close(&self, outcome: &NotificationOutcome) -> Result<(), CommitError> {
        use psp_notifications::{lease_token, leased_until, table};
        // A lease on another kind of item cannot be held for a notification.
        let LeasedItem::Notification(id) = outcome.lease.item else {
            return Err(CommitError::LeaseLost);
        };
        let held = table
            .find(Bind(id))
            .filter(lease_token.eq(Bind(outcome.lease.token)))
            .filter(leased_until.gt(database_clock()));
        let write = diesel::update(held).set(NotificationEnd::of(
            outcome.status,
            outcome.operation,
            outcome.session,
        ));
        let pooled = self.pool.get().await?;
        let mut batch = Batch::new(&pooled);
        batch.require(write, Precondition::Lease);
        if let Some(entry) = &outcome.audit {
            audit::write(&mut batch, entry);
        }
        batch.commit().await.map_err(commit_error_outside_session)
    }

    async fn dismiss(&self, id: NotificationId, audit: &AuditEntry) -> Result<bool, StoreError> {
        use psp_notifications::{status, table};
        let all = NotificationStatus::ALL.iter();
        let stuck: Vec<&'static str> = all
            .filter(|kind| kind.is_stuck())
            .map(|kind| kind.name())
            .collect();
        let listed = table.find(Bind(id)).filter(status.eq_any(stuck));
        let dismissed = NotificationStatus::Dismissed.name();
        let pooled = self.pool.get().await?;
        let mut batch = Batch::new(&pooled);
        batch.require(diesel::update(listed).set(status.eq(dismissed)), ());
        audit::write(&mut batch, audit);
        batch.try_commit().await
    }

    async fn dismiss_all(
        &self,
        stuck: &StuckNotificationFilter,
        limit: u32,
        audit: &AuditEntry,
    ) -> Result<u64, StoreError> {
        if !stuck.status.is_stuck() {
            return Ok(0);
        }
        let account = stuck.account.as_ref();
        let dismiss = sql_query(DISMISS_ALL)
            .bind::<Text, _>(stuck.status.name())
            .bind::<Instant, _>(stuck.received_before)
            .bind::<Nullable<Text>, _>(account.map(PspAccount::connector))
            .bind::<Nullable<Text>, _>(account.map(PspAccount::account))
            .bind::<BigInt, _>(i64::from(limit))
            .bind::<Id, _>(audit.id)
            .bind::<Instant, _>(audit.at)
            .bind::<Text, _>(audit.action.name())
            .bind::<Text, _>(audit.detail.as_str());
        let counted: Vec<DismissedCount> = self.read(dismiss).await?;
        let number = counted.first().map_or(0, |row| row.number);
        u64::try_from(number).map_err(conversion_error)
    }
}
