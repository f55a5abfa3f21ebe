//! Rows of PSP notifications; their bytes are sealed.

use diesel::prelude::*;
use oncharge_domain::{
    id::{OperationId, SessionId},
    keyring::SealContext,
    psp::PspAccount,
};
use oncharge_ports::{
    StoreError,
    inbox::{NewNotification, NotificationStatus, StoredNotification},
};

use super::{RowReader, id_bytes};
use crate::{
    schema::psp_notifications,
    seal::{SealedColumns, Sealer},
};

const TABLE: &str = "psp_notifications";

/// A notification without the columns that only the queue uses.
#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = psp_notifications, treat_none_as_default_value = false)]
pub(crate) struct NotificationRow {
    id: Vec<u8>,
    connector: String,
    account: String,
    event_key: Option<String>,
    status: String,
    body: Vec<u8>,
    body_key_id: String,
    received_at: i64,
}

#[derive(Insertable)]
#[diesel(table_name = psp_notifications, treat_none_as_default_value = false)]
pub(crate) struct NewNotificationRow {
    #[diesel(embed)]
    row: NotificationRow,
    next_try_at: Option<i64>,
    tries: i64,
}

/// The columns written when a notification is no longer waiting; its lease is released.
#[derive(AsChangeset)]
#[diesel(table_name = psp_notifications, treat_none_as_null = true)]
pub(crate) struct NotificationEnd {
    status: &'static str,
    operation_id: Option<Vec<u8>>,
    session_id: Option<Vec<u8>>,
    next_try_at: Option<i64>,
    leased_until: Option<i64>,
    lease_token: Option<Vec<u8>>,
}

/// The context to which a notification's bytes are bound when they are sealed.
fn place(notification: &[u8]) -> SealContext<'_> {
    SealContext {
        table: TABLE,
        column: "body",
        row: notification,
    }
}

impl NewNotificationRow {
    /// Seals a new notification: it is waiting, unless it is only kept as evidence.
    pub(crate) fn seal(new: &NewNotification, sealer: &Sealer) -> Result<Self, StoreError> {
        let id = id_bytes(new.id);
        let sealed_value = sealer.seal(place(&id), &new.body)?;
        let received_at = new.received_at.unix_micros();
        let status = match new.event_key {
            Some(_) => NotificationStatus::Waiting,
            None => NotificationStatus::Unverified,
        };
        let waits = status == NotificationStatus::Waiting;
        Ok(Self {
            row: NotificationRow {
                id,
                connector: new.account.connector().to_owned(),
                account: new.account.account().to_owned(),
                event_key: new.event_key.clone(),
                status: status.name().to_owned(),
                body: sealed_value.bytes,
                body_key_id: sealed_value.key_id,
                received_at,
            },
            next_try_at: waits.then_some(received_at),
            tries: 0,
        })
    }
}

impl NotificationRow {
    pub(crate) fn open(self, sealer: &Sealer) -> Result<StoredNotification, StoreError> {
        let reader = RowReader::of(TABLE, &self.id);
        let account = PspAccount::new(&self.connector, &self.account);
        let sealed_value = SealedColumns {
            bytes: self.body,
            key_id: self.body_key_id,
        };
        let body = sealer.open(place(&self.id), sealed_value, |plain| Some(plain.to_vec()));
        Ok(StoredNotification {
            new: NewNotification {
                id: reader.id("id", &self.id)?,
                account: reader.parse("account", account)?,
                event_key: self.event_key,
                body: reader.require("body", body)?,
                received_at: reader.time("received_at", self.received_at)?,
            },
            status: reader.require("status", NotificationStatus::parse(&self.status))?,
        })
    }
}

impl NotificationEnd {
    /// Ends a notification with this status, operation and session.
    pub(crate) fn of(
        status: NotificationStatus,
        operation: Option<OperationId>,
        session: Option<SessionId>,
    ) -> Self {
        Self {
            status: status.name(),
            operation_id: operation.map(id_bytes),
            session_id: session.map(id_bytes),
            next_try_at: None,
            leased_until: None,
            lease_token: None,
        }
    }
}
