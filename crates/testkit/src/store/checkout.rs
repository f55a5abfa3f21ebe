//! `CheckoutRepository` of the in-memory store.

use async_trait::async_trait;
use oncharge_domain::{
    cursor::Position,
    id::{OperationId, RefundId, SessionId},
    operation::{Operation, OperationKind, SendState},
    psp::{PspReference, TokenFingerprint},
    refund::Refund,
    session::Session,
    time::Timestamp,
};
use oncharge_ports::{
    CheckoutRepository, CommitError, StoreError, UnitOfWork,
    psp::PreparedRequest,
    queries::{EventFilter, Page, RefundFilter, SessionFilter, StoredEvent},
    unit_of_work::{IdempotencyRecord, IdempotencyScope, IdempotencyWrite},
};

use super::{CommitFault, MemoryStore, planned_fault};

/// One page of rows, newest first by (time, id).
pub(super) fn page_of<T>(
    rows: Vec<T>,
    page: Page,
    place: impl Fn(&T) -> (Timestamp, uuid::Uuid),
) -> Vec<T> {
    let after = page
        .after
        .map(|position| (position.created_at, position.id));
    let mut rows: Vec<T> = rows
        .into_iter()
        .filter(|row| after.is_none_or(|after| place(row) < after))
        .collect();
    rows.sort_by_key(|row| std::cmp::Reverse(place(row)));
    rows.truncate(page.limit as usize);
    rows
}

#[async_trait]
impl CheckoutRepository for MemoryStore {
    async fn session(&self, id: SessionId) -> Result<Option<Session>, StoreError> {
        let state = self.state();
        Ok(state.sessions.get(&id).map(|row| row.session.clone()))
    }

    async fn operation(&self, id: OperationId) -> Result<Option<Operation>, StoreError> {
        let state = self.state();
        Ok(state.operations.get(&id).map(|row| row.operation.clone()))
    }

    async fn request(&self, id: OperationId) -> Result<Option<PreparedRequest>, StoreError> {
        let state = self.state();
        Ok(state
            .operations
            .get(&id)
            .and_then(|row| row.request.clone()))
    }

    async fn has_attempt(
        &self,
        session: SessionId,
        fingerprint: TokenFingerprint,
    ) -> Result<bool, StoreError> {
        let state = self.state();
        let is_it = |operation: &Operation| {
            operation.session == session
                && matches!(operation.kind,
                    OperationKind::Authorize { token, .. } if token == fingerprint)
        };
        Ok(state.operations.values().any(|row| is_it(&row.operation)))
    }

    async fn refund(&self, id: RefundId) -> Result<Option<Refund>, StoreError> {
        Ok(self.state().refunds.get(&id).cloned())
    }

    async fn unsent_refunds(
        &self,
        session: SessionId,
    ) -> Result<Vec<(Refund, Operation)>, StoreError> {
        let state = self.state();
        let with_operation = |refund: &Refund| {
            let row = state.operations.get(&refund.operation)?;
            let operation = row.operation.clone();
            let unsent = operation.is_open() && operation.sending == SendState::NotSent;
            unsent.then(|| (refund.clone(), operation))
        };
        let of_session = |refund: &&Refund| refund.session == session;
        let refunds = state.refunds.values().filter(of_session);
        Ok(refunds.filter_map(with_operation).collect())
    }

    async fn key(&self, scope: &IdempotencyScope) -> Result<Option<IdempotencyRecord>, StoreError> {
        let state = self.state();
        Ok(state.keys.get(scope).map(|row| IdempotencyRecord {
            fingerprint: row.fingerprint,
            operation: row.operation,
            response: row.response.as_ref().map(|(response, _)| response.clone()),
            responded_at: row.response.as_ref().map(|(_, at)| *at),
        }))
    }

    async fn reserved_key(
        &self,
        operation: OperationId,
    ) -> Result<Option<IdempotencyScope>, StoreError> {
        let state = self.state();
        let mut waiting = state
            .keys
            .iter()
            .filter(|(_, row)| row.operation == Some(operation) && row.response.is_none());
        Ok(waiting.next().map(|(scope, _)| scope.clone()))
    }

    async fn sessions(
        &self,
        filter: &SessionFilter,
        page: Page,
    ) -> Result<Vec<Session>, StoreError> {
        let state = self.state();
        let fits = |session: &Session| {
            let reference = filter.reference.as_ref();
            let order_id = filter.order_id.as_ref();
            let psp_reference = filter.psp_reference.as_ref();
            let is_known_as = |reference: &PspReference| {
                state.operations.values().any(|row| {
                    row.operation.session == session.id
                        && row.operation.reference.as_ref() == Some(reference)
                })
            };
            session.merchant == filter.merchant
                && filter
                    .status
                    .is_none_or(|name| session.status_at(filter.now) == name)
                && reference.is_none_or(|reference| session.reference == *reference)
                && order_id.is_none_or(|order_id| session.order_id.as_ref() == Some(order_id))
                && psp_reference.is_none_or(is_known_as)
                && filter
                    .created_after
                    .is_none_or(|at| session.created_at >= at)
                && filter
                    .created_before
                    .is_none_or(|at| session.created_at < at)
        };
        let rows = state.sessions.values().map(|row| &row.session);
        let found = rows.filter(|session| fits(session)).cloned().collect();
        let place = |session: &Session| (session.created_at, session.id.uuid());
        Ok(page_of(found, page, place))
    }

    async fn refunds(&self, filter: &RefundFilter, page: Page) -> Result<Vec<Refund>, StoreError> {
        let state = self.state();
        let fits = |refund: &&Refund| {
            refund.merchant == filter.merchant
                && filter
                    .session
                    .is_none_or(|session| refund.session == session)
        };
        let found = state.refunds.values().filter(fits).cloned().collect();
        let place = |refund: &Refund| (refund.created_at, refund.id.uuid());
        Ok(page_of(found, page, place))
    }

    async fn events(
        &self,
        filter: &EventFilter,
        page: Page,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        let state = self.state();
        let fits = |stored: &&StoredEvent| {
            let event = &stored.event;
            event.merchant == filter.merchant
                && filter
                    .session
                    .is_none_or(|session| event.session == session)
                && filter.kind.is_none_or(|kind| event.kind == kind)
        };
        let found = state.events.iter().filter(fits).cloned().collect();
        let place = |stored: &StoredEvent| (stored.event.at, stored.id.uuid());
        Ok(page_of(found, page, place))
    }

    async fn operations(
        &self,
        since: Timestamp,
        after: Option<Position>,
        limit: u32,
    ) -> Result<Vec<Operation>, StoreError> {
        let state = self.state();
        let place = |operation: &Operation| (operation.created_at, operation.id.uuid());
        let after = after.map(|after| (after.created_at, after.id));
        let mut found: Vec<Operation> = state
            .operations
            .values()
            .map(|row| &row.operation)
            .filter(|operation| operation.created_at >= since)
            .filter(|operation| after.is_none_or(|after| place(operation) > after))
            .cloned()
            .collect();
        found.sort_by_key(place);
        found.truncate(limit as usize);
        Ok(found)
    }

    async fn write_idempotency_record(&self, key: IdempotencyWrite) -> Result<(), CommitError> {
        self.write(|state| state.write_idempotency_record(key))
            .await
    }

    async fn commit(&self, unit: UnitOfWork) -> Result<(), CommitError> {
        // Yields to other tasks, as a database call would.
        tokio::task::yield_now().await;
        let fault = self.next_fault();
        match fault {
            Some(CommitFault::Before) => {
                return Err(planned_fault().into());
            }
            Some(CommitFault::Conflict) => return Err(CommitError::Conflict),
            Some(CommitFault::After) | None => {}
        }
        {
            let mut state = self.state();
            let mut next = state.clone();
            next.apply(unit, self.clock.now())?;
            *state = next;
        }
        tokio::task::yield_now().await;
        match fault {
            Some(_) => Err(CommitError::OutcomeUnknown),
            None => Ok(()),
        }
    }

    async fn is_committed(&self, unit: &UnitOfWork) -> Result<bool, StoreError> {
        Ok(self.state().units.contains_key(&unit.id))
    }
}
