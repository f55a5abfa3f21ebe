//! The inbox: notifications from PSPs, stored sealed before they are applied.

use async_trait::async_trait;
use diesel::{
    prelude::*,
    sql_query,
    sql_types::{BigInt, Nullable, Text},
};
use oncharge_domain::{audit::AuditEntry, id::NotificationId, psp::PspAccount};
use oncharge_ports::{
    CommitError, Inbox, StoreError, UnitOfWork,
    inbox::{
        NewNotification, NotificationOutcome, NotificationStatus, StoredNotification,
        StuckNotificationFilter,
    },
    unit_of_work::LeasedItem,
};
use oncharge_store_rows::{
    Bind,
    rows::{
        audit::AuditRow,
        notification::{NewNotificationRow, NotificationEnd, NotificationRow},
    },
    schema::psp_notifications,
    sql_types::Instant,
};

use crate::{
    audit, error,
    returning::{expect_one, touched},
    store::SqliteStore,
    work,
    writer::Priority,
};

/// The notification that a unit handles.
pub(crate) struct HandledNotification {
    id: NotificationId,
    end: NotificationEnd,
}

impl HandledNotification {
    /// The notification that the unit handles, if any; it is attributed to the first changed
    /// operation.
    pub(crate) fn of(unit: &UnitOfWork) -> Option<Self> {
        let first = unit.changed_operations.first();
        let operation = first.map(|changed| changed.operation.id);
        unit.handled.map(|id| Self {
            id,
            end: NotificationEnd::of(
                NotificationStatus::Handled,
                operation,
                Some(unit.session.id),
            ),
        })
    }

    /// Writes the change inside the unit's transaction.
    pub(crate) fn write(self, connection: &mut SqliteConnection) -> Result<(), CommitError> {
        let waiting = psp_notifications::table
            .find(Bind(self.id))
            .filter(psp_notifications::status.eq(NotificationStatus::Waiting.name()));
        let update = diesel::update(waiting).set(self.end);
        let update = update.returning(psp_notifications::id);
        match touched(connection, update).map_err(error::commit)? {
            0 => Err(CommitError::AlreadyHandled),
            _ => Ok(()),
        }
    }
}

const DISMISS_ALL: &str = "UPDATE psp_notifications SET status = 'dismissed' WHERE rowid IN ( \
     SELECT rowid FROM psp_notifications WHERE status = ?1 AND received_at < ?2 \
     AND (?3 IS NULL OR (connector = ?3 AND account = ?4)) \
     ORDER BY received_at LIMIT ?5 + 0)";

#[async_trait]
impl Inbox for SqliteStore {
    async fn receive(&self, new: &NewNotification) -> Result<bool, StoreError> {
        let row = NewNotificationRow::seal(new, self.sealer())?;
        // `Request`, because the PSP waits for the response.
        let kept = self.write(Priority::Request, move |connection| {
            let inserted = row
                .insert_into(psp_notifications::table)
                .on_conflict((
                    psp_notifications::connector,
                    psp_notifications::account,
                    psp_notifications::event_key,
                ))
                .do_nothing()
                .execute(connection);
            Ok(inserted.map_err(error::commit)? == 1)
        });
        kept.await.map_err(error::into_store_error)
    }

    async fn notification(
        &self,
        id: NotificationId,
    ) -> Result<Option<StoredNotification>, StoreError> {
        let found: Option<NotificationRow> = self.read(|connection| {
            psp_notifications::table
                .find(Bind(id))
                .select(NotificationRow::as_select())
                .get_result(connection)
                .optional()
                .map_err(error::store)
        })?;
        found.map(|row| row.open(self.sealer())).transpose()
    }

    async fn close(&self, outcome: &NotificationOutcome) -> Result<(), CommitError> {
        let lease = outcome.lease;
        let LeasedItem::Notification(id) = lease.item else {
            return Err(CommitError::LeaseLost);
        };
        let end = NotificationEnd::of(outcome.status, outcome.operation, outcome.session);
        let audit = outcome.audit.as_ref().map(AuditRow::from);
        self.write(Priority::Worker, move |connection| {
            if !work::is_held(connection, lease).map_err(error::commit)? {
                return Err(CommitError::LeaseLost);
            }
            let row = psp_notifications::table.find(Bind(id));
            let update = diesel::update(row).set(end);
            let written = touched(connection, update.returning(psp_notifications::id));
            expect_one(written, "a leased notification is missing")?;
            audit::write(connection, audit)
        })
        .await
    }

    async fn dismiss(&self, id: NotificationId, audit: &AuditEntry) -> Result<bool, StoreError> {
        let audit = AuditRow::from(audit);
        let dismissed = self.write(Priority::Request, move |connection| {
            let all = NotificationStatus::ALL.iter();
            let stuck = all
                .filter(|status| status.is_stuck())
                .map(|status| status.name());
            let row = psp_notifications::table
                .find(Bind(id))
                .filter(psp_notifications::status.eq_any(stuck));
            let dismissed = NotificationStatus::Dismissed.name();
            let update = diesel::update(row).set(psp_notifications::status.eq(dismissed));
            if update.execute(connection).map_err(error::commit)? == 0 {
                return Ok(false);
            }
            audit::write(connection, [audit])?;
            Ok(true)
        });
        dismissed.await.map_err(error::into_store_error)
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
        let (stuck, audit) = (stuck.clone(), audit.clone());
        let dismissed = self.write(Priority::Request, move |connection| {
            let account = stuck.account.as_ref();
            let dismissed = sql_query(DISMISS_ALL)
                .bind::<Text, _>(stuck.status.name())
                .bind::<Instant, _>(stuck.received_before)
                .bind::<Nullable<Text>, _>(account.map(PspAccount::connector))
                .bind::<Nullable<Text>, _>(account.map(PspAccount::account))
                .bind::<BigInt, _>(i64::from(limit))
                .execute(connection)
                .map_err(error::commit)?;
            if dismissed > 0 {
                let audit = AuditEntry {
                    detail: format!("{dismissed} {}", audit.detail),
                    ..audit
                };
                audit::write(connection, [AuditRow::from(&audit)])?;
            }
            Ok(dismissed as u64)
        });
        dismissed.await.map_err(error::into_store_error)
    }
}
