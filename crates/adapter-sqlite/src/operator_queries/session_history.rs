//! Everything that belongs to one session.

use std::collections::HashMap;

use diesel::prelude::*;
use oncharge_domain::{
    id::{EventId, SessionId},
    refund::Refund,
    webhook::DeliveryAttempt,
};
use oncharge_ports::{
    StoreError,
    operator_queries::{
        ContactPresence, HistoryAuditEntry, HistoryEvent, HistoryNotification, HistoryOperation,
        MAX_ROWS_PER_KIND, SessionHistory,
    },
};
use oncharge_store_rows::{
    Bind, ColumnValue,
    row_reader::RowReader,
    rows::{
        attempt::AttemptRow,
        event::{EventRow, EventSessionColumns},
        refund::RefundRow,
        session::SessionRow,
        session_history::{
            HistoryAuditRow, HistoryDeliveryRow, HistoryNotificationRow, HistoryOperationRow,
        },
    },
    schema::{
        audit_log, contacts, deliveries, delivery_attempts, events, operations, psp_notifications,
        refunds, sessions,
    },
};

use super::find::with_merchants;

use crate::error;

/// One more than is shown, to detect that there are more.
const LIMIT: i64 = MAX_ROWS_PER_KIND as i64 + 1;

/// Reads row by row, and records which kinds are truncated.
struct HistoryReader<'a> {
    connection: &'a mut SqliteConnection,
    session: SessionId,
    is_truncated: bool,
}

/// Loads the history of a session, inside the caller's transaction.
pub(super) fn session_history(
    connection: &mut SqliteConnection,
    id: SessionId,
) -> Result<Option<SessionHistory>, StoreError> {
    let row: Option<SessionRow> = sessions::table
        .find(Bind(id))
        .select(SessionRow::as_select())
        .get_result(connection)
        .optional()
        .map_err(error::store)?;
    let Some(row) = row else {
        return Ok(None);
    };
    let Some(found) = with_merchants(connection, vec![row.open_without_contact()?])?.pop() else {
        return Ok(None);
    };
    let mut history = HistoryReader {
        connection,
        session: id,
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
            .find(Bind(self.session))
            .select((contacts::email.is_not_null(), contacts::phone.is_not_null()))
            .get_result(self.connection)
            .optional()
            .map_err(error::store)?;
        let (email, phone) = found.unwrap_or_default();
        Ok(ContactPresence { email, phone })
    }

    fn operations(&mut self) -> Result<Vec<HistoryOperation>, StoreError> {
        let rows: Vec<HistoryOperationRow> = operations::table
            .filter(operations::session_id.eq(Bind(self.session)))
            .order((operations::created_at, operations::id))
            .limit(LIMIT)
            .select(HistoryOperationRow::as_select())
            .load(self.connection)
            .map_err(error::store)?;
        self.limit_rows(rows)
            .into_iter()
            .map(HistoryOperation::try_from)
            .collect()
    }

    fn refunds(&mut self) -> Result<Vec<Refund>, StoreError> {
        let rows: Vec<RefundRow> = refunds::table
            .filter(refunds::session_id.eq(Bind(self.session)))
            .order((refunds::created_at, refunds::id))
            .limit(LIMIT)
            .select(RefundRow::as_select())
            .load(self.connection)
            .map_err(error::store)?;
        self.limit_rows(rows)
            .into_iter()
            .map(Refund::try_from)
            .collect()
    }

    fn events(&mut self) -> Result<Vec<HistoryEvent>, StoreError> {
        type Row = (EventRow, EventSessionColumns, Option<HistoryDeliveryRow>);
        let rows: Vec<Row> = events::table
            .inner_join(sessions::table)
            .left_join(deliveries::table)
            .filter(events::session_id.eq(Bind(self.session)))
            .order(events::sequence)
            .limit(LIMIT)
            .select((
                EventRow::as_select(),
                EventSessionColumns::as_select(),
                Option::<HistoryDeliveryRow>::as_select(),
            ))
            .load(self.connection)
            .map_err(error::store)?;
        let rows = self.limit_rows(rows);
        let mut attempts = self.attempts()?;
        let mut entries = Vec::new();
        for (event, session, delivery) in rows {
            let stored = event.stored_event(&session)?;
            let delivery = match delivery {
                None => None,
                Some(row) => {
                    let attempts = attempts.remove(&stored.id).unwrap_or_default();
                    Some(row.with_attempts(attempts)?)
                }
            };
            entries.push(HistoryEvent { stored, delivery });
        }
        Ok(entries)
    }

    /// Loads all delivery attempts of the session's events, by event.
    fn attempts(&mut self) -> Result<HashMap<EventId, Vec<DeliveryAttempt>>, StoreError> {
        let session_events = events::table
            .filter(events::session_id.eq(Bind(self.session)))
            .select(events::id);
        let rows: Vec<(ColumnValue<EventId>, AttemptRow)> = delivery_attempts::table
            .filter(delivery_attempts::event_id.eq_any(session_events))
            .order((delivery_attempts::event_id, delivery_attempts::number))
            .limit(LIMIT)
            .select((delivery_attempts::event_id, AttemptRow::as_select()))
            .load(self.connection)
            .map_err(error::store)?;
        let mut found: HashMap<EventId, Vec<DeliveryAttempt>> = HashMap::new();
        for (event, row) in self.limit_rows(rows) {
            let event = RowReader::with_id("delivery_attempts", "event_id", event)?.id();
            found.entry(event).or_default().push(row.try_into()?);
        }
        Ok(found)
    }

    fn notifications(&mut self) -> Result<Vec<HistoryNotification>, StoreError> {
        let rows: Vec<HistoryNotificationRow> = psp_notifications::table
            .filter(psp_notifications::session_id.eq(Bind(self.session)))
            .order((psp_notifications::received_at, psp_notifications::id))
            .limit(LIMIT)
            .select(HistoryNotificationRow::as_select())
            .load(self.connection)
            .map_err(error::store)?;
        self.limit_rows(rows)
            .into_iter()
            .map(HistoryNotification::try_from)
            .collect()
    }

    fn audit(&mut self) -> Result<Vec<HistoryAuditEntry>, StoreError> {
        let rows: Vec<HistoryAuditRow> = audit_log::table
            .filter(audit_log::session_id.eq(Bind(self.session)))
            .order(audit_log::number)
            .limit(LIMIT)
            .select(HistoryAuditRow::as_select())
            .load(self.connection)
            .map_err(error::store)?;
        self.limit_rows(rows)
            .into_iter()
            .map(HistoryAuditEntry::try_from)
            .collect()
    }
}
