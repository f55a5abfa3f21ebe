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
    Value,
    row_reader::RowReader,
    schema::psp_notifications,
    seal::{NOTIFICATION, SealedColumns, Sealer},
};

/// A notification without the columns that only the queue uses.
#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = psp_notifications, treat_none_as_default_value = false)]
pub struct NotificationRow {
    id: Value<NotificationId>,
    connector: String,
    account: String,
    event_key: Option<String>,
    status: String,
    body: Vec<u8>,
    body_key_id: String,
    received_at: Value<Timestamp>,
}

#[derive(Insertable)]
#[diesel(table_name = psp_notifications, treat_none_as_default_value = false)]
pub struct NewNotificationRow {
    #[diesel(embed)]
    row: NotificationRow,
    next_try_at: Option<Value<Timestamp>>,
    tries: i64,
}

/// The columns written when a notification is no longer waiting; its lease is released.
#[derive(AsChangeset)]
#[diesel(table_name = psp_notifications, treat_none_as_null = true)]
pub struct NotificationEnd {
    status: &'static str,
    operation_id: Option<Value<OperationId>>,
    session_id: Option<Value<SessionId>>,
    next_try_at: Option<Value<Timestamp>>,
    leased_until: Option<Value<Timestamp>>,
    lease_token: Option<Value<UnitId>>,
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
                id: Value(new.id),
                connector: new.account.connector().to_owned(),
                account: new.account.account().to_owned(),
                event_key: new.event_key.clone(),
                status: status.name().to_owned(),
                body: columns.bytes,
                body_key_id: columns.key_id,
                received_at: Value(new.received_at),
            },
            next_try_at: next_try_at.map(Value),
            tries: 0,
        })
    }
}

impl NotificationRow {
    pub fn open(self, sealer: &Sealer) -> Result<StoredNotification, StoreError> {
        let reader = RowReader::of("psp_notifications", self.id.0);
        let columns = SealedColumns {
            bytes: self.body,
            key_id: self.body_key_id,
        };
        let body = sealer.open(NOTIFICATION, self.id.0.uuid().as_bytes(), columns)?;
        let new = NewNotification {
            id: self.id.0,
            account: reader.account(&self.connector, &self.account)?,
            event_key: self.event_key,
            body: body.to_vec(),
            received_at: self.received_at.0,
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
            operation_id: operation.map(Value),
            session_id: session.map(Value),
            next_try_at: None,
            leased_until: None,
            lease_token: None,
        }
    }
}
