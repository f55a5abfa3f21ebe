//! Everything that belongs to one session.

use std::collections::HashMap;

use diesel::{pg::Pg, prelude::*};
use oncharge_domain::{
    id::{EventId, NotificationId, OperationId, SessionId},
    refund::Refund,
    time::Timestamp,
    webhook::Attempt,
};
use oncharge_ports::{
    StoreError,
    inbox::NotificationStatus,
    oversight::{
        KnownContact, MOST_OF_EACH, SeenDelivery, SeenEntry, SeenEvent, SeenNotification,
        SeenOperation, Story,
    },
};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{find::with_merchants, snapshot::Snapshot};
use crate::{
    rows::{
        Reader, attempt::AttemptRow, delivery::DeliveryRow, event::EventRow,
        operation::OperationRow, refund::RefundRow, session::SessionRow,
    },
    schema::{
        audit_log, contacts, deliveries, delivery_attempts, events, operations, psp_notifications,
        refunds, sessions,
    },
};

/// One more than is shown tells whether there is more.
const LIMIT: i64 = MOST_OF_EACH as i64 + 1;

/// Reads one kind of rows after the other, and notes where there is more than is shown.
struct Reading<'a> {
    snapshot: &'a Snapshot,
    session: SessionId,
    is_cut: bool,
}

/// The story of a session.
pub(super) async fn story(snapshot: &Snapshot, id: SessionId) -> Result<Option<Story>, StoreError> {
    let query = sessions::table
        .find(id.uuid())
        .select(SessionRow::as_select());
    let found: Vec<SessionRow> = snapshot.read(query).await?;
    let found: Result<Vec<_>, _> = found
        .into_iter()
        .map(SessionRow::open_without_contact)
        .collect();
    let Some(found) = with_merchants(snapshot, found?).await?.pop() else {
        return Ok(None);
    };
    let mut reading = Reading {
        snapshot,
        session: id,
        is_cut: false,
    };
    Ok(Some(Story {
        contact: reading.contact().await?,
        operations: reading.operations().await?,
        refunds: reading.refunds().await?,
        events: reading.events().await?,
        notifications: reading.notifications().await?,
        audit: reading.audit().await?,
        is_cut: reading.is_cut,
        found,
    }))
}

impl Reading<'_> {
    fn cut<T>(&mut self, mut rows: Vec<T>) -> Vec<T> {
        let most = usize::try_from(MOST_OF_EACH).unwrap_or(usize::MAX);
        self.is_cut |= rows.len() > most;
        rows.truncate(most);
        rows
    }

    async fn contact(&self) -> Result<KnownContact, StoreError> {
        let query = contacts::table
            .find(self.session.uuid())
            .select((contacts::email.is_not_null(), contacts::phone.is_not_null()));
        let found: Vec<(bool, bool)> = self.snapshot.read(query).await?;
        let (email, phone) = found.into_iter().next().unwrap_or_default();
        Ok(KnownContact { email, phone })
    }

    async fn operations(&mut self) -> Result<Vec<SeenOperation>, StoreError> {
        let query = operations::table
            .filter(operations::session_id.eq(self.session.uuid()))
            .order((operations::created_at, operations::id))
            .limit(LIMIT)
            .select((
                OperationRow::as_select(),
                operations::tries,
                operations::next_try_at,
            ));
        let rows: Vec<(OperationRow, i64, Option<OffsetDateTime>)> =
            self.snapshot.read(query).await?;
        let read = Reader {
            table: "operations",
            row: self.session,
        };
        let seen = |(row, tries, next): (OperationRow, i64, Option<OffsetDateTime>)| {
            Ok(SeenOperation {
                operation: row.try_into()?,
                tries: read.count("tries", tries)?,
                next_try_at: next.map(Timestamp::new),
            })
        };
        self.cut(rows).into_iter().map(seen).collect()
    }

    async fn refunds(&mut self) -> Result<Vec<Refund>, StoreError> {
        let query = refunds::table
            .filter(refunds::session_id.eq(self.session.uuid()))
            .order((refunds::created_at, refunds::id))
            .limit(LIMIT)
            .select(RefundRow::as_select());
        let rows: Vec<RefundRow> = self.snapshot.read(query).await?;
        self.cut(rows).into_iter().map(Refund::try_from).collect()
    }

    async fn events(&mut self) -> Result<Vec<SeenEvent>, StoreError> {
        let query = events::table
            .inner_join(sessions::table)
            .left_join(deliveries::table)
            .filter(events::session_id.eq(self.session.uuid()))
            .order(events::sequence)
            .limit(LIMIT)
            .select((
                EventRow::as_select(),
                sessions::reference,
                sessions::metadata,
                Option::<DeliveryRow>::as_select(),
                deliveries::next_try_at.nullable(),
            ));
        let rows: Vec<EventColumns> = self.snapshot.read(query).await?;
        let rows = self.cut(rows);
        let mut attempts = self.attempts().await?;
        let mut seen = Vec::new();
        for (event, reference, metadata, delivery, next) in rows {
            let stored = event.stored(&reference, metadata)?;
            let delivery = match delivery {
                None => None,
                Some(row) => Some(SeenDelivery {
                    delivery: row.try_into()?,
                    next_try_at: next.map(Timestamp::new),
                    attempts: attempts.remove(&stored.id).unwrap_or_default(),
                }),
            };
            seen.push(SeenEvent { stored, delivery });
        }
        Ok(seen)
    }

    /// Every attempt to deliver one of the session's events, by the event.
    async fn attempts(&mut self) -> Result<HashMap<EventId, Vec<Attempt>>, StoreError> {
        let ours = events::table
            .filter(events::session_id.eq(self.session.uuid()))
            .select(events::id);
        let query = delivery_attempts::table
            .filter(delivery_attempts::event_id.eq_any(ours))
            .order((delivery_attempts::event_id, delivery_attempts::number))
            .limit(LIMIT)
            .select((delivery_attempts::event_id, AttemptRow::as_select()));
        let rows: Vec<(Uuid, AttemptRow)> = self.snapshot.read(query).await?;
        let mut found: HashMap<EventId, Vec<Attempt>> = HashMap::new();
        for (event, row) in self.cut(rows) {
            let of_event = found.entry(EventId::from_uuid(event)).or_default();
            of_event.push(row.try_into()?);
        }
        Ok(found)
    }

    async fn notifications(&mut self) -> Result<Vec<SeenNotification>, StoreError> {
        let query = psp_notifications::table
            .filter(psp_notifications::session_id.eq(self.session.uuid()))
            .order((psp_notifications::received_at, psp_notifications::id))
            .limit(LIMIT)
            .select(NotificationRow::as_select());
        let rows: Vec<NotificationRow> = self.snapshot.read(query).await?;
        self.cut(rows)
            .into_iter()
            .map(SeenNotification::try_from)
            .collect()
    }

    async fn audit(&mut self) -> Result<Vec<SeenEntry>, StoreError> {
        let query = audit_log::table
            .filter(audit_log::session_id.eq(self.session.uuid()))
            .order(audit_log::number)
            .limit(LIMIT)
            .select(EntryRow::as_select());
        let rows: Vec<EntryRow> = self.snapshot.read(query).await?;
        Ok(self.cut(rows).into_iter().map(SeenEntry::from).collect())
    }
}

type EventColumns = (
    EventRow,
    String,
    serde_json::Value,
    Option<DeliveryRow>,
    Option<OffsetDateTime>,
);

/// A notification without its bytes.
#[derive(Queryable, Selectable)]
#[diesel(table_name = psp_notifications, check_for_backend(Pg))]
struct NotificationRow {
    id: Uuid,
    connector: String,
    account: String,
    event_key: Option<String>,
    status: String,
    received_at: OffsetDateTime,
    tries: i64,
}

impl TryFrom<NotificationRow> for SeenNotification {
    type Error = StoreError;

    fn try_from(row: NotificationRow) -> Result<Self, StoreError> {
        let id = NotificationId::from_uuid(row.id);
        let read = Reader {
            table: "psp_notifications",
            row: id,
        };
        Ok(Self {
            id,
            account: read.account(&row.connector, &row.account)?,
            event_key: row.event_key,
            status: read.need("status", NotificationStatus::parse(&row.status))?,
            received_at: Timestamp::new(row.received_at),
            tries: read.count("tries", row.tries)?,
        })
    }
}

/// An entry of the audit log as it is read.
#[derive(Queryable, Selectable)]
#[diesel(table_name = audit_log, check_for_backend(Pg))]
struct EntryRow {
    created_at: OffsetDateTime,
    action: String,
    operation_id: Option<Uuid>,
    detail: String,
}

impl From<EntryRow> for SeenEntry {
    fn from(row: EntryRow) -> Self {
        Self {
            at: Timestamp::new(row.created_at),
            action: row.action,
            operation: row.operation_id.map(OperationId::from_uuid),
            detail: row.detail,
        }
    }
}
