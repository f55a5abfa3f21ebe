//! Everything that belongs to one session.

use std::collections::HashMap;

use diesel::prelude::*;
use oncharge_domain::{
    id::{EventId, SessionId},
    psp::PspAccount,
    time::Timestamp,
    webhook::DeliveryAttempt,
};
use oncharge_ports::{
    StoreError,
    inbox::NotificationStatus,
    operator_queries::{
        ContactPresence, HistoryAuditEntry, HistoryDelivery, HistoryEvent, HistoryNotification,
        HistoryOperation, MAX_ROWS_PER_KIND, SessionHistory,
    },
};

use super::with_merchants;
use crate::{
    error,
    rows::{
        RowReader,
        attempt::AttemptRow,
        delivery::DeliveryRow,
        event::{EventRow, EventSessionColumns},
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

/// One more than is shown, to detect that there are more.
const LIMIT: i64 = MAX_ROWS_PER_KIND as i64 + 1;

/// Reads row by row, and records which kinds are truncated.
struct HistoryReader<'a> {
    connection: &'a mut SqliteConnection,
    session: Vec<u8>,
    is_truncated: bool,
}

/// Loads the history of a session, inside the caller's transaction.
pub(super) fn session_history(
    connection: &mut SqliteConnection,
    id: SessionId,
) -> Result<Option<SessionHistory>, StoreError> {
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
    let mut history = HistoryReader {
        connection,
        session,
        is_truncated: false,
    };
    Ok(Some(SessionHistory {
        contact: history.contact()?,
        operations: history.operations()?,
        refunds: history.refunds()?,
        events: history.events()?,
        notifications: history.notifications()?,
        audit: history.audit()?,
        is_truncated: history.is_truncated,
        found,
    }))
}

impl HistoryReader<'_> {
    fn limit_rows<T>(&mut self, mut rows: Vec<T>) -> Vec<T> {
        let most = usize::try_from(MAX_ROWS_PER_KIND).unwrap_or(usize::MAX);
        self.is_truncated |= rows.len() > most;
        rows.truncate(most);
        rows
    }

    fn contact(&mut self) -> Result<ContactPresence, StoreError> {
        let found: Option<(bool, bool)> = contacts::table
            .find(&self.session)
            .select((contacts::email.is_not_null(), contacts::phone.is_not_null()))
            .get_result(self.connection)
            .optional()
            .map_err(error::store)?;
        let (email, phone) = found.unwrap_or_default();
        Ok(ContactPresence { email, phone })
    }

    fn operations(&mut self) -> Result<Vec<HistoryOperation>, StoreError> {
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
        let reader = RowReader::of("operations", &session);
        let read = |(row, tries, next): (OperationRow, i64, Option<i64>)| {
            Ok(HistoryOperation {
                operation: row.operation()?,
                tries: reader.count("tries", tries)?,
                next_try_at: reader.optional_time("next_try_at", next)?,
            })
        };
        self.limit_rows(rows).into_iter().map(read).collect()
    }

    fn refunds(&mut self) -> Result<Vec<oncharge_domain::refund::Refund>, StoreError> {
        let rows: Vec<RefundRow> = refunds::table
            .filter(refunds::session_id.eq(&self.session))
            .order((refunds::created_at, refunds::id))
            .limit(LIMIT)
            .select(RefundRow::as_select())
            .load(self.connection)
            .map_err(error::store)?;
        self.limit_rows(rows)
            .into_iter()
            .map(RefundRow::refund)
            .collect()
    }

    fn events(&mut self) -> Result<Vec<HistoryEvent>, StoreError> {
        type Row = (
            EventRow,
            EventSessionColumns,
            Option<DeliveryRow>,
            Option<i64>,
        );
        let rows: Vec<Row> = events::table
            .inner_join(sessions::table)
            .left_join(deliveries::table)
            .filter(events::session_id.eq(&self.session))
            .order(events::sequence)
            .limit(LIMIT)
            .select((
                EventRow::as_select(),
                EventSessionColumns::as_select(),
                Option::<DeliveryRow>::as_select(),
                deliveries::next_try_at.nullable(),
            ))
            .load(self.connection)
            .map_err(error::store)?;
        let rows = self.limit_rows(rows);
        let mut attempts = self.attempts()?;
        let mut entries = Vec::new();
        for (event, session, delivery, next) in rows {
            let stored = event.stored_event(&session)?;
            let delivery = match delivery {
                None => None,
                Some(row) => {
                    let id = id_bytes(stored.id);
                    let reader = RowReader::of("deliveries", &id);
                    Some(HistoryDelivery {
                        delivery: row.delivery()?,
                        next_try_at: reader.optional_time("next_try_at", next)?,
                        attempts: attempts.remove(&stored.id).unwrap_or_default(),
                    })
                }
            };
            entries.push(HistoryEvent { stored, delivery });
        }
        Ok(entries)
    }

    /// Loads all delivery attempts of the session's events, by event.
    fn attempts(&mut self) -> Result<HashMap<EventId, Vec<DeliveryAttempt>>, StoreError> {
        let session_events = events::table
            .filter(events::session_id.eq(&self.session))
            .select(events::id);
        let rows: Vec<AttemptRow> = delivery_attempts::table
            .filter(delivery_attempts::event_id.eq_any(session_events))
            .order((delivery_attempts::event_id, delivery_attempts::number))
            .limit(LIMIT)
            .select(AttemptRow::as_select())
            .load(self.connection)
            .map_err(error::store)?;
        let mut found: HashMap<EventId, Vec<DeliveryAttempt>> = HashMap::new();
        for row in self.limit_rows(rows) {
            let event = row.event()?;
            found.entry(event).or_default().push(row.attempt()?);
        }
        Ok(found)
    }

    fn notifications(&mut self) -> Result<Vec<HistoryNotification>, StoreError> {
        let rows: Vec<NotificationRow> = psp_notifications::table
            .filter(psp_notifications::session_id.eq(&self.session))
            .order((psp_notifications::received_at, psp_notifications::id))
            .limit(LIMIT)
            .select(NotificationRow::as_select())
            .load(self.connection)
            .map_err(error::store)?;
        self.limit_rows(rows)
            .into_iter()
            .map(NotificationRow::entry)
            .collect()
    }

    fn audit(&mut self) -> Result<Vec<HistoryAuditEntry>, StoreError> {
        let rows: Vec<EntryRow> = audit_log::table
            .filter(audit_log::session_id.eq(&self.session))
            .order(audit_log::number)
            .limit(LIMIT)
            .select(EntryRow::as_select())
            .load(self.connection)
            .map_err(error::store)?;
        self.limit_rows(rows)
            .into_iter()
            .map(EntryRow::entry)
            .collect()
    }
}

/// A notification without its body.
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
    fn entry(self) -> Result<HistoryNotification, StoreError> {
        let reader = RowReader::of("psp_notifications", &self.id);
        let account = PspAccount::new(&self.connector, &self.account);
        Ok(HistoryNotification {
            id: reader.id("id", &self.id)?,
            account: reader.parse("account", account)?,
            event_key: self.event_key,
            status: reader.require("status", NotificationStatus::parse(&self.status))?,
            received_at: reader.time("received_at", self.received_at)?,
            tries: reader.count("tries", self.tries)?,
        })
    }
}

/// A row of the audit log.
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
    fn entry(self) -> Result<HistoryAuditEntry, StoreError> {
        let reader = RowReader::of("audit_log", &self.id);
        Ok(HistoryAuditEntry {
            at: reader.require("created_at", Timestamp::from_unix_micros(self.created_at))?,
            action: self.action,
            operation: reader.optional_id("operation_id", self.operation_id.as_deref())?,
            detail: self.detail,
        })
    }
}
