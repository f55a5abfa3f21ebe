//! `OperatorQueries` of the in-memory store.

use async_trait::async_trait;
use oncharge_domain::{
    id::SessionId,
    session::{Session, StatusName},
    text::Contact,
    time::Timestamp,
};
use oncharge_ports::{
    OperatorQueries, StoreError,
    operator_queries::{
        ContactPresence, FoundSession, HistoryAuditEntry, HistoryDelivery, HistoryEvent,
        HistoryNotification, HistoryOperation, MAX_ROWS_PER_KIND, SessionHistory,
        SessionIdentifier, SessionSearch,
    },
    queries::Page,
};

use super::{MemoryStore, checkout::page_of, state::State};

#[async_trait]
impl OperatorQueries for MemoryStore {
    async fn find_sessions(
        &self,
        search: &SessionSearch,
        page: Page,
    ) -> Result<Vec<FoundSession>, StoreError> {
        let state = self.state();
        let rows = state.sessions.values().map(|row| &row.session);
        let found: Vec<&Session> = rows.filter(|session| state.fits(session, search)).collect();
        let place = |session: &&Session| (session.created_at, session.id.uuid());
        let page = page_of(found, page, place);
        Ok(page
            .into_iter()
            .map(|session| state.found_session(session))
            .collect())
    }

    async fn session_history(&self, id: SessionId) -> Result<Option<SessionHistory>, StoreError> {
        let state = self.state();
        Ok(state
            .sessions
            .get(&id)
            .map(|row| state.session_history(&row.session)))
    }

    async fn count_sessions(
        &self,
        since: Timestamp,
        now: Timestamp,
        most: u32,
    ) -> Result<Vec<(StatusName, u64)>, StoreError> {
        let state = self.state();
        let count = |name: StatusName| {
            let rows = state.sessions.values().map(|row| &row.session);
            let recent = rows.filter(|session| session.created_at >= since);
            let many = recent.filter(|session| session.status_at(now) == name);
            (name, many.take(most as usize).count() as u64)
        };
        Ok(StatusName::ALL.iter().copied().map(count).collect())
    }
}

impl State {
    fn fits(&self, session: &Session, search: &SessionSearch) -> bool {
        let identifier = search.identifier.as_ref();
        identifier.is_none_or(|name| self.has_identifier(session, name))
            && search.merchant.is_none_or(|id| session.merchant == id)
            && search
                .status
                .is_none_or(|name| session.status_at(search.now) == name)
            && search
                .created_after
                .is_none_or(|at| session.created_at >= at)
            && search
                .created_before
                .is_none_or(|at| session.created_at < at)
    }

    fn has_identifier(&self, session: &Session, name: &SessionIdentifier) -> bool {
        let text = match name {
            SessionIdentifier::Session(id) => return session.id == *id,
            SessionIdentifier::Text(text) => text,
        };
        let mut operations = self.operations.values().map(|row| &row.operation);
        session.reference.as_str() == text
            || session
                .order_id
                .as_ref()
                .is_some_and(|id| id.as_str() == text)
            || operations.any(|operation| {
                let reference = operation.reference.as_ref();
                operation.session == session.id
                    && reference.is_some_and(|reference| reference.as_str() == text)
            })
    }

    fn found_session(&self, session: &Session) -> FoundSession {
        let merchant = self.merchants.get(&session.merchant);
        FoundSession {
            session: Session {
                contact: Contact::default(),
                ..session.clone()
            },
            merchant_name: merchant.expect("a session has its merchant").name.clone(),
        }
    }

    fn session_history(&self, session: &Session) -> SessionHistory {
        let mut is_truncated = false;
        let id = session.id;
        let mut operations = self.history_operations(id);
        let of_session = self.refunds.values().filter(|refund| refund.session == id);
        let mut refunds: Vec<_> = of_session.cloned().collect();
        refunds.sort_by_key(|refund| (refund.created_at, refund.id));
        let mut events = self.history_events(id);
        let mut notifications = self.history_notifications(id);
        let entries = self.audit.iter().filter(|entry| entry.session == Some(id));
        let mut audit: Vec<_> = entries
            .map(|entry| HistoryAuditEntry {
                at: entry.at,
                action: entry.action.name().to_owned(),
                operation: entry.operation,
                detail: entry.detail.clone(),
            })
            .collect();
        truncate(&mut operations, &mut is_truncated);
        truncate(&mut refunds, &mut is_truncated);
        truncate(&mut events, &mut is_truncated);
        truncate(&mut notifications, &mut is_truncated);
        truncate(&mut audit, &mut is_truncated);
        SessionHistory {
            found: self.found_session(session),
            contact: ContactPresence {
                email: session.contact.email.is_some(),
                phone: session.contact.phone.is_some(),
            },
            operations,
            refunds,
            events,
            notifications,
            audit,
            is_truncated,
        }
    }

    fn history_operations(&self, id: SessionId) -> Vec<HistoryOperation> {
        let rows = self.operations.values();
        let mut found: Vec<_> = rows
            .filter(|row| row.operation.session == id)
            .map(|row| HistoryOperation {
                operation: row.operation.clone(),
                tries: row.tries,
                next_try_at: row.operation.is_open().then_some(row.next_try_at),
            })
            .collect();
        found.sort_by_key(|entry| (entry.operation.created_at, entry.operation.id));
        found
    }

    fn history_events(&self, id: SessionId) -> Vec<HistoryEvent> {
        let rows = self.events.iter();
        let mut found: Vec<_> = rows
            .filter(|stored| stored.event.session == id)
            .map(|stored| HistoryEvent {
                stored: stored.clone(),
                delivery: self.deliveries.get(&stored.id).map(|row| HistoryDelivery {
                    delivery: row.delivery.clone(),
                    next_try_at: row.next_try_at,
                    attempts: row.attempts.clone(),
                }),
            })
            .collect();
        found.sort_by_key(|entry| entry.stored.event.sequence);
        found
    }

    fn history_notifications(&self, id: SessionId) -> Vec<HistoryNotification> {
        let rows = self.notifications.values();
        let mut found: Vec<_> = rows
            .filter(|row| row.session == Some(id))
            .map(|row| HistoryNotification {
                id: row.stored.new.id,
                account: row.stored.new.account.clone(),
                event_key: row.stored.new.event_key.clone(),
                status: row.stored.status,
                received_at: row.stored.new.received_at,
                tries: row.tries,
            })
            .collect();
        found.sort_by_key(|entry| (entry.received_at, entry.id));
        found
    }
}

/// Keeps the oldest rows.
fn truncate<T>(rows: &mut Vec<T>, is_truncated: &mut bool) {
    *is_truncated |= rows.len() > MAX_ROWS_PER_KIND as usize;
    rows.truncate(MAX_ROWS_PER_KIND as usize);
}
