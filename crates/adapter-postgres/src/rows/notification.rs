//! Rows of PSP notifications; their bytes are sealed.

use diesel::{pg::Pg, prelude::*};
use oncharge_domain::{id::NotificationId, time::Timestamp};
use oncharge_ports::{
    StoreError,
    inbox::{NewNotification, NotificationStatus, StoredNotification},
};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    rows::{RowReader, at},
    schema::psp_notifications,
    seal::{NOTIFICATION, SealedColumns, Sealer},
};

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = psp_notifications, check_for_backend(Pg))]
#[diesel(treat_none_as_default_value = false)]
pub(crate) struct NotificationRow {
    id: Uuid,
    connector: String,
    account: String,
    event_key: Option<String>,
    status: String,
    body: Vec<u8>,
    body_key_id: String,
    received_at: OffsetDateTime,
    next_try_at: Option<OffsetDateTime>,
    tries: i64,
}

impl NotificationRow {
    /// Seals a new notification; a verified one is due from now on.
    pub(crate) fn seal(new: &NewNotification, sealer: &Sealer) -> Result<Self, StoreError> {
        let received_at = at(new.received_at);
        let columns = sealer.seal(NOTIFICATION, new.id.uuid().as_bytes(), &new.body)?;
        let (status, next_try_at) = match new.event_key {
            Some(_) => (NotificationStatus::Waiting, Some(received_at)),
            None => (NotificationStatus::Unverified, None),
        };
        Ok(Self {
            id: new.id.uuid(),
            connector: new.account.connector().to_owned(),
            account: new.account.account().to_owned(),
            event_key: new.event_key.clone(),
            status: status.name().to_owned(),
            body: columns.bytes,
            body_key_id: columns.key_id,
            received_at,
            next_try_at,
            tries: 0,
        })
    }

    pub(crate) fn open(self, sealer: &Sealer) -> Result<StoredNotification, StoreError> {
        let id = NotificationId::from_uuid(self.id);
        let reader = RowReader {
            table: "psp_notifications",
            row: id,
        };
        let columns = SealedColumns {
            bytes: self.body,
            key_id: self.body_key_id,
        };
        let body = sealer.open(NOTIFICATION, self.id.as_bytes(), columns)?;
        let new = NewNotification {
            id,
            account: reader.account(&self.connector, &self.account)?,
            event_key: self.event_key,
            body: body.to_vec(),
            received_at: Timestamp::new(self.received_at),
        };
        let status = NotificationStatus::parse(&self.status);
        Ok(StoredNotification {
            new,
            status: reader.require("status", status)?,
        })
    }
}
