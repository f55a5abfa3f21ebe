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

use super::{find::with_merchants, snapshot::Snapshot};

/// One more than is shown, to detect that there are more.
const LIMIT: i64 = MAX_ROWS_PER_KIND as i64 + 1;

/// Reads one kind of rows after the other, and records which kinds are truncated.
struct HistoryReader<'a> {
    snapshot: &'a Snapshot,
    session: SessionId,
    is_truncated: bool,
}

/// Loads the history of a session.
pub(super) async fn session_history(
    snapshot: &Snapshot,
    id: SessionId,
) -> Result<Option<SessionHistory>, StoreError> {
    let query = sessions::table
        .find(Bind(id))
        .select(SessionRow::as_select());
    let found: Vec<SessionRow> = snapshot.read(query).await?;
    let found: Result<Vec<_>, _> = found
        .into_iter()
        .map(SessionRow::open_without_contact)
        .collect();
    let Some(found) = with_merchants(snapshot, found?).await?.pop() else {
        return Ok(None);
    };
    let mut history = HistoryReader {
        snapshot,
        session: id,
        is_truncated: false,
    };
    Ok(Some(SessionHistory {
        contact: history.contact().await?,
        operations: history.operations().await?,
        refunds: history.refunds().await?,
        events: history.events().await?,
        notifications: history.notifications().await?,
        audit: history.audit().await?,
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

    async fn contact(&self) -> Result<ContactPresence, StoreError> {
        let query = contacts::table
            .find(Bind(self.session))
            .select((contacts::email.is_not_null(), contacts::phone.is_not_null()));
        let found: Vec<(bool, bool)> = self.snapshot.read(query).await?;
        let (email, phone) = found.into_iter().next().unwrap_or_default();
        Ok(ContactPresence { email, phone })
    }

    async fn operations(&mut self) -> Result<Vec<HistoryOperation>, StoreError> {
        let query = operations::table
            .filter(operations::session_id.eq(Bind(self.session)))
            .order((operations::created_at, operations::id))
            .limit(LIMIT)
            .select(HistoryOperationRow::as_select());
        let rows: Vec<HistoryOperationRow> = self.snapshot.read(query).await?;
        self.limit_rows(rows)
            .into_iter()
            .map(HistoryOperation::try_from)
            .collect()
    }

    async fn refunds(&mut self) -> Result<Vec<Refund>, StoreError> {
        let query = refunds::table
            .filter(refunds::session_id.eq(Bind(self.session)))
            .order((refunds::created_at, refunds::id))
            .limit(LIMIT)
            .select(RefundRow::as_select());
        let rows: Vec<RefundRow> = self.snapshot.read(query).await?;
        self.limit_rows(rows)
            .into_iter()
            .map(Refund::try_from)
            .collect()
    }

    async fn events(&mut self) -> Result<Vec<HistoryEvent>, StoreError> {
        let query = events::table
            .inner_join(sessions::table)
            .left_join(deliveries::table)
            .filter(events::session_id.eq(Bind(self.session)))
            .order(events::sequence)
            .limit(LIMIT)
            .select((
                EventRow::as_select(),
                EventSessionColumns::as_select(),
                Option::<HistoryDeliveryRow>::as_select(),
            ));
        let rows: Vec<EventColumns> = self.snapshot.read(query).await?;
        let rows = self.limit_rows(rows);
        let mut attempts = self.attempts().await?;
        let mut entries = Vec::new();
        for (event, columns, delivery) in rows {
            let stored = event.stored_event(&columns)?;
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
    async fn attempts(&mut self) -> Result<HashMap<EventId, Vec<DeliveryAttempt>>, StoreError> {
        let session_events = events::table
            .filter(events::session_id.eq(Bind(self.session)))
            .select(events::id);
        let query = delivery_attempts::table
            .filter(delivery_attempts::event_id.eq_any(session_events))
            .order((delivery_attempts::event_id, delivery_attempts::number))
            .limit(LIMIT)
            .select((delivery_attempts::event_id, AttemptRow::as_select()));
        let rows: Vec<(ColumnValue<EventId>, AttemptRow)> = self.snapshot.read(query).await?;
        let mut found: HashMap<EventId, Vec<DeliveryAttempt>> = HashMap::new();
        for (event, row) in self.limit_rows(rows) {
            let event = RowReader::with_id("delivery_attempts", "event_id", event)?.id();
            let of_event = found.entry(event).or_default();
            of_event.push(row.try_into()?);
        }
        Ok(found)
    }

    async fn notifications(&mut self) -> Result<Vec<HistoryNotification>, StoreError> {
        let query = psp_notifications::table
            .filter(psp_notifications::session_id.eq(Bind(self.session)))
            .order((psp_notifications::received_at, psp_notifications::id))
            .limit(LIMIT)
            .select(HistoryNotificationRow::as_select());
        let rows: Vec<HistoryNotificationRow> = self.snapshot.read(query).await?;
        self.limit_rows(rows)
            .into_iter()
            .map(HistoryNotification::try_from)
            .collect()
    }

    async fn audit(&mut self) -> Result<Vec<HistoryAuditEntry>, StoreError> {
        let query = audit_log::table
            .filter(audit_log::session_id.eq(Bind(self.session)))
            .order(audit_log::number)
            .limit(LIMIT)
            .select(HistoryAuditRow::as_select());
        let rows: Vec<HistoryAuditRow> = self.snapshot.read(query).await?;
        self.limit_rows(rows)
            .into_iter()
            .map(HistoryAuditEntry::try_from)
            .collect()
    }
}

type EventColumns = (EventRow, EventSessionColumns, Option<HistoryDeliveryRow>);
