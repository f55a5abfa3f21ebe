//! Everything that belongs to one session.

use std::collections::HashMap;

use diesel::prelude::*;
use oncharge_domain::{
    id::{EventId, SessionId},
    psp::PspAccount,
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

use super::with_merchants;
use crate::{
    error,
    rows::{
        Cells,
        attempt::AttemptRow,
        delivery::DeliveryRow,
        event::{EventRow, OfSession},
        id_bytes,
        operation::OperationRow,
        refund::RefundRow,
        session::SessionRow,
    },
    schema::{
        audit_log, contacts, deliveries, delivery_attempts, events, operations, psp_notifications,
        refunds, sessions,
    },
};

/// One more than is shown tells whether there is more.
const LIMIT: i64 = MOST_OF_EACH as i64 + 1;

/// Reads row by row, and notes where there is more than is shown.
struct Reading<'a> {
    connection: &'a mut SqliteConnection,
    session: Vec<u8>,
    is_cut: bool,
}

/// The story of a session, inside a transaction of the caller's.
pub(super) fn story(
    connection: &mut SqliteConnection,
    id: SessionId,
) -> Result<Option<Story>, StoreError> {
    let session = id_bytes(id);
    let row: Option<SessionRow> = sessions::table
        .find(&session)
        .select(SessionRow::as_select())
        .get_result(connection)
        .optional()
        .map_err(error::store)?;
    let Some(row) = row else {
        return Ok(None);
    };
    let Some(found) = with_merchants(connection, vec![row])?.pop() else {
        return Ok(None);
    };
    let mut reading = Reading {
        connection,
        session,
        is_cut: false,
    };
    Ok(Some(Story {
        contact: reading.contact()?,
        operations: reading.operations()?,
        refunds: reading.refunds()?,
        events: reading.events()?,
        notifications: reading.notifications()?,
        audit: reading.audit()?,
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

    fn contact(&mut self) -> Result<KnownContact, StoreError> {
        let found: Option<(bool, bool)> = contacts::table
            .find(&self.session)
            .select((contacts::email.is_not_null(), contacts::phone.is_not_null()))
            .get_result(self.connection)
            .optional()
            .map_err(error::store)?;
        let (email, phone) = found.unwrap_or_default();
        Ok(KnownContact { email, phone })
    }

    fn operations(&mut self) -> Result<Vec<SeenOperation>, StoreError> {
        let rows: Vec<(OperationRow, i64, Option<i64>)> = operations::table
            .filter(operations::session_id.eq(&self.session))
            .order((operations::created_at, operations::id))
            .limit(LIMIT)
            .select((
                OperationRow::as_select(),
                operations::tries,
                operations::next_try_at,
            ))
            .load(self.connection)
            .map_err(error::store)?;
        let session = self.session.clone();
        let cells = Cells::of("operations", &session);
        let read = |(row, tries, next): (OperationRow, i64, Option<i64>)| {
            Ok(SeenOperation {
                operation: row.operation()?,
                tries: cells.count("tries", tries)?,
                next_try_at: cells.optional_time("next_try_at", next)?,
            })
        };
        self.cut(rows).into_iter().map(read).collect()
    }

    fn refunds(&mut self) -> Result<Vec<oncharge_domain::refund::Refund>, StoreError> {
        let rows: Vec<RefundRow> = refunds::table
            .filter(refunds::session_id.eq(&self.session))
            .order((refunds::created_at, refunds::id))
            .limit(LIMIT)
            .select(RefundRow::as_select())
            .load(self.connection)
            .map_err(error::store)?;
        self.cut(rows).into_iter().map(RefundRow::refund).collect()
    }

    fn events(&mut self) -> Result<Vec<SeenEvent>, StoreError> {
        type Row = (EventRow, OfSession, Option<DeliveryRow>, Option<i64>);
        let rows: Vec<Row> = events::table
            .inner_join(sessions::table)
            .left_join(deliveries::table)
            .filter(events::session_id.eq(&self.session))
            .order(events::sequence)
            .limit(LIMIT)
            .select((
                EventRow::as_select(),
                OfSession::as_select(),
                Option::<DeliveryRow>::as_select(),
                deliveries::next_try_at.nullable(),
            ))
            .load(self.connection)
            .map_err(error::store)?;
        let rows = self.cut(rows);
        let mut attempts = self.attempts()?;
        let mut seen = Vec::new();
        for (event, session, delivery, next) in rows {
            let stored = event.stored_event(&session)?;
            let delivery = match delivery {
                None => None,
                Some(row) => {
                    let id = id_bytes(stored.id);
                    let cells = Cells::of("deliveries", &id);
                    Some(SeenDelivery {
                        delivery: row.delivery()?,
                        next_try_at: cells.optional_time("next_try_at", next)?,
                        attempts: attempts.remove(&stored.id).unwrap_or_default(),
                    })
                }
            };
            seen.push(SeenEvent { stored, delivery });
        }
        Ok(seen)
    }

    /// Every attempt to deliver one of the session's events, by the event.
    fn attempts(&mut self) -> Result<HashMap<EventId, Vec<Attempt>>, StoreError> {
        let ours = events::table
            .filter(events::session_id.eq(&self.session))
            .select(events::id);
        let rows: Vec<AttemptRow> = delivery_attempts::table
            .filter(delivery_attempts::event_id.eq_any(ours))
            .order((delivery_attempts::event_id, delivery_attempts::number))
            .limit(LIMIT)
            .select(AttemptRow::as_select())
            .load(self.connection)
            .map_err(error::store)?;
        let mut found: HashMap<EventId, Vec<Attempt>> = HashMap::new();
        for row in self.cut(rows) {
            let event = row.event()?;
            found.entry(event).or_default().push(row.attempt()?);
        }
        Ok(found)
    }

    fn notifications(&mut self) -> Result<Vec<SeenNotification>, StoreError> {
        let rows: Vec<NotificationRow> = psp_notifications::table
            .filter(psp_notifications::session_id.eq(&self.session))
            .order((psp_notifications::received_at, psp_notifications::id))
            .limit(LIMIT)
            .select(NotificationRow::as_select())
            .load(self.connection)
            .map_err(error::store)?;
        self.cut(rows)
            .into_iter()
            .map(NotificationRow::seen)
            .collect()
    }

    fn audit(&mut self) -> Result<Vec<SeenEntry>, StoreError> {
        let rows: Vec<EntryRow> = audit_log::table
            .filter(audit_log::session_id.eq(&self.session))
            .order(audit_log::number)
            .limit(LIMIT)
            .select(EntryRow::as_select())
            .load(self.connection)
            .map_err(error::store)?;
        self.cut(rows).into_iter().map(EntryRow::seen).collect()
    }
}

/// A notification without its bytes.
#[derive(Queryable, Selectable)]
#[diesel(table_name = psp_notifications)]
struct NotificationRow {
    id: Vec<u8>,
    connector: String,
    account: String,
    event_key: Option<String>,
    status: String,
    received_at: i64,
    tries: i64,
}

impl NotificationRow {
    fn seen(self) -> Result<SeenNotification, StoreError> {
        let cells = Cells::of("psp_notifications", &self.id);
        let account = PspAccount::new(&self.connector, &self.account);
        Ok(SeenNotification {
            id: cells.id("id", &self.id)?,
            account: cells.read("account", account)?,
            event_key: self.event_key,
            status: cells.found("status", NotificationStatus::parse(&self.status))?,
            received_at: cells.time("received_at", self.received_at)?,
            tries: cells.count("tries", self.tries)?,
        })
    }
}

/// An entry of the audit log as it is read.
#[derive(Queryable, Selectable)]
#[diesel(table_name = audit_log)]
struct EntryRow {
    id: Vec<u8>,
    created_at: i64,
    action: String,
    operation_id: Option<Vec<u8>>,
    detail: String,
}

impl EntryRow {
    fn seen(self) -> Result<SeenEntry, StoreError> {
        let cells = Cells::of("audit_log", &self.id);
        Ok(SeenEntry {
            at: cells.found("created_at", Timestamp::from_unix_micros(self.created_at))?,
            action: self.action,
            operation: cells.optional_id("operation_id", self.operation_id.as_deref())?,
            detail: self.detail,
        })
    }
}
