//! Rows of PSP notifications; their bytes are sealed.

use diesel::prelude::*;
use oncharge_domain::{
    id::{NotificationId, OperationId, SessionId, UnitId},
    time::Timestamp,
};
use oncharge_ports::{
    StoreError,
    inbox::{NewNotification, NotificationStatus, StoredNotification},
};

use crate::{
    Bind, ColumnValue,
    row_reader::RowReader,
    schema::psp_notifications,
    seal::{NOTIFICATION, SealedColumns, Sealer},
};

/// A notification without the columns that only the queue uses.
#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = psp_notifications, treat_none_as_default_value = false)]
pub struct NotificationRow {
    id: ColumnValue<NotificationId>,
    connector: String,
    account: String,
    event_key: Option<String>,
    status: String,
    body: Vec<u8>,
    body_key_id: String,
    received_at: ColumnValue<Timestamp>,
}

#[derive(Insertable)]
#[diesel(table_name = psp_notifications, treat_none_as_default_value = false)]
pub struct NewNotificationRow {
    #[diesel(embed)]
    row: NotificationRow,
    next_try_at: Option<Bind<Timestamp>>,
    tries: i64,
}

/// The columns written when a notification is no longer waiting; its lease is released.
#[derive(AsChangeset)]
#[diesel(table_name = psp_notifications, treat_none_as_null = true)]
pub struct NotificationEnd {
    status: &'static str,
    operation_id: Option<Bind<OperationId>>,
    session_id: Option<Bind<SessionId>>,
    next_try_at: Option<Bind<Timestamp>>,
    leased_until: Option<Bind<Timestamp>>,
    lease_token: Option<Bind<UnitId>>,
}

impl NewNotificationRow {
    /// Seals a new notification; a verified one is due from now on.
    pub fn seal(new: &NewNotification, sealer: &Sealer) -> Result<Self, StoreError> {
        let columns = sealer.seal(NOTIFICATION, new.id.uuid().as_bytes(), &new.body)?;
        let (status, next_try_at) = match new.event_key {
            Some(_) => (NotificationStatus::Waiting, Some(new.received_at)),
            None => (NotificationStatus::Unverified, None),
        };
        Ok(Self {
            row: NotificationRow {
                id: new.id.into(),
                connector: new.account.connector().to_owned(),
                account: new.account.account().to_owned(),
                event_key: new.event_key.clone(),
                status: status.name().to_owned(),
                body: columns.bytes,
                body_key_id: columns.key_id,
                received_at: new.received_at.into(),
            },
            next_try_at: next_try_at.map(Bind),
            tries: 0,
        })
    }
}

impl NotificationRow {
    pub fn open(self, sealer: &Sealer) -> Result<StoredNotification, StoreError> {
        let reader = RowReader::with_id("psp_notifications", "id", self.id)?;
        let columns = SealedColumns {
            bytes: self.body,
            key_id: self.body_key_id,
        };
        let body = sealer.open(NOTIFICATION, reader.id().uuid().as_bytes(), columns)?;
        let new = NewNotification {
            id: reader.id(),
            account: reader.account(&self.connector, &self.account)?,
            event_key: self.event_key,
            body: body.to_vec(),
            received_at: reader.value("received_at", self.received_at)?,
        };
        let status = self.status.parse().ok();
        Ok(StoredNotification {
            new,
            status: reader.require("status", status)?,
        })
    }
}

impl NotificationEnd {
    /// Ends a notification with this status, operation and session.
    pub fn of(
        status: NotificationStatus,
        operation: Option<OperationId>,
        session: Option<SessionId>,
    ) -> Self {
        Self {
            status: status.name(),
            operation_id: operation.map(Bind),
            session_id: session.map(Bind),
            next_try_at: None,
            leased_until: None,
            lease_token: None,
        }
    }
}
