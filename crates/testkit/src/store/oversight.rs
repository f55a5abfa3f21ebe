//! The store in memory as `Oversight`.

use async_trait::async_trait;
use oncharge_domain::{
    id::SessionId,
    session::{Session, StatusName},
    text::Contact,
    time::Timestamp,
};
use oncharge_ports::{
    Oversight, StoreError,
    oversight::{
        FoundSession, KnownContact, MOST_OF_EACH, Named, Search, SeenDelivery, SeenEntry,
        SeenEvent, SeenNotification, SeenOperation, Story,
    },
    queries::Page,
};

use super::{MemoryStore, checkout::page_of, state::State};

#[async_trait]
impl Oversight for MemoryStore {
    async fn find_sessions(
        &self,
        search: &Search,
        page: Page,
    ) -> Result<Vec<FoundSession>, StoreError> {
        let state = self.state();
        let rows = state.sessions.values().map(|row| &row.session);
        let found: Vec<&Session> = rows.filter(|session| state.fits(session, search)).collect();
        let place = |session: &&Session| (session.created_at, session.id.uuid());
        let page = page_of(found, page, place);
        Ok(page
            .into_iter()
            .map(|session| state.seen(session))
            .collect())
    }

    async fn story(&self, id: SessionId) -> Result<Option<Story>, StoreError> {
        let state = self.state();
        Ok(state.sessions.get(&id).map(|row| state.story(&row.session)))
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
    fn fits(&self, session: &Session, search: &Search) -> bool {
        let named = search.named.as_ref();
        named.is_none_or(|name| self.is_called(session, name))
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

    fn is_called(&self, session: &Session, name: &Named) -> bool {
        let text = match name {
            Named::Session(id) => return session.id == *id,
            Named::Text(text) => text,
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

    fn seen(&self, session: &Session) -> FoundSession {
        let merchant = self.merchants.get(&session.merchant);
        FoundSession {
            session: Session {
                contact: Contact::default(),
                ..session.clone()
            },
            merchant_name: merchant.expect("a session has its merchant").name.clone(),
        }
    }

    fn story(&self, session: &Session) -> Story {
        let mut is_cut = false;
        let id = session.id;
        let mut operations = self.seen_operations(id);
        let of_session = self.refunds.values().filter(|refund| refund.session == id);
        let mut refunds: Vec<_> = of_session.cloned().collect();
        refunds.sort_by_key(|refund| (refund.created_at, refund.id));
        let mut events = self.seen_events(id);
        let mut notifications = self.seen_notifications(id);
        let entries = self.audit.iter().filter(|entry| entry.session == Some(id));
        let mut audit: Vec<_> = entries
            .map(|entry| SeenEntry {
                at: entry.at,
                action: entry.action.name().to_owned(),
                operation: entry.operation,
                detail: entry.detail.clone(),
            })
            .collect();
        cut(&mut operations, &mut is_cut);
        cut(&mut refunds, &mut is_cut);
        cut(&mut events, &mut is_cut);
        cut(&mut notifications, &mut is_cut);
        cut(&mut audit, &mut is_cut);
        Story {
            found: self.seen(session),
            contact: KnownContact {
                email: session.contact.email.is_some(),
                phone: session.contact.phone.is_some(),
            },
            operations,
            refunds,
            events,
            notifications,
            audit,
            is_cut,
        }
    }

    fn seen_operations(&self, id: SessionId) -> Vec<SeenOperation> {
        let rows = self.operations.values();
        let mut found: Vec<_> = rows
            .filter(|row| row.operation.session == id)
            .map(|row| SeenOperation {
                operation: row.operation.clone(),
                tries: row.tries,
                next_try_at: row.operation.is_open().then_some(row.next_try_at),
            })
            .collect();
        found.sort_by_key(|seen| (seen.operation.created_at, seen.operation.id));
        found
    }

    fn seen_events(&self, id: SessionId) -> Vec<SeenEvent> {
        let rows = self.events.iter();
        let mut found: Vec<_> = rows
            .filter(|stored| stored.event.session == id)
            .map(|stored| SeenEvent {
                stored: stored.clone(),
                delivery: self.deliveries.get(&stored.id).map(|row| SeenDelivery {
                    delivery: row.delivery.clone(),
                    next_try_at: row.next_try_at,
                    attempts: row.attempts.clone(),
                }),
            })
            .collect();
        found.sort_by_key(|seen| seen.stored.event.sequence);
        found
    }

    fn seen_notifications(&self, id: SessionId) -> Vec<SeenNotification> {
        let rows = self.notifications.values();
        let mut found: Vec<_> = rows
            .filter(|row| row.session == Some(id))
            .map(|row| SeenNotification {
                id: row.stored.new.id,
                account: row.stored.new.account.clone(),
                event_key: row.stored.new.event_key.clone(),
                status: row.stored.status,
                received_at: row.stored.new.received_at,
                tries: row.tries,
            })
            .collect();
        found.sort_by_key(|seen| (seen.received_at, seen.id));
        found
    }
}

/// Leaves the oldest ones.
fn cut<T>(rows: &mut Vec<T>, is_cut: &mut bool) {
    *is_cut |= rows.len() > MOST_OF_EACH as usize;
    rows.truncate(MOST_OF_EACH as usize);
}
