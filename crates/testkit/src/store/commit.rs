//! Applies a unit of work to a copy of the state, rule by rule.

use oncharge_domain::{
    idempotency::IDEMPOTENCY_RETENTION_SECONDS, session::Session, time::Timestamp,
};
use oncharge_ports::{
    CommitError, StoreError, UnitOfWork,
    inbox::NotificationStatus,
    queries::StoredEvent,
    unit_of_work::{ChangedOperation, IdempotencyScope, IdempotencyWrite, NewEvent, NewOperation},
};

use super::state::{DeliveryRow, KeyRow, OperationRow, SessionRow, State};

/// A caller's bug, as a database constraint would report it.
pub(super) fn constraint_violation(rule: &'static str) -> CommitError {
    CommitError::Store(StoreError::Failed(rule.into()))
}

impl State {
    /// Applies the unit; after an error, the state must be discarded.
    pub(super) fn apply(&mut self, unit: UnitOfWork, now: Timestamp) -> Result<(), CommitError> {
        if let Some(lease) = unit.lease
            && self.live_claim(lease, now).is_none()
        {
            return Err(CommitError::LeaseLost);
        }
        if let Some(id) = unit.handled {
            let row = self
                .notifications
                .get_mut(&id)
                .filter(|row| row.is_waiting());
            let row = row.ok_or(CommitError::AlreadyHandled)?;
            row.end(NotificationStatus::Handled);
            row.session = Some(unit.session.id);
        }
        self.write_session(&unit.session)?;
        for new in unit.operations {
            self.insert_operation(new)?;
        }
        for changed in unit.changed_operations {
            self.change_operation(changed)?;
        }
        if let Some(refund) = unit.refund {
            if !self.operations.contains_key(&refund.operation) {
                return Err(constraint_violation("a refund needs its operation"));
            }
            if self.refunds.insert(refund.id, refund).is_some() {
                return Err(constraint_violation("a refund is inserted once"));
            }
        }
        for refund in unit.changed_refunds {
            if self.refunds.insert(refund.id, refund).is_none() {
                return Err(constraint_violation("a refund to update is missing"));
            }
        }
        for event in unit.events {
            self.insert_event(event, &unit.session)?;
        }
        if let Some(write) = unit.key {
            self.write_idempotency_record(write)?;
        }
        self.audit.extend(unit.audit);
        let written = (unit.session.merchant, unit.session.version);
        if self.units.insert(unit.id, written).is_some() {
            return Err(constraint_violation("a unit is committed once"));
        }
        Ok(())
    }

    fn write_session(&mut self, session: &Session) -> Result<(), CommitError> {
        if !self.merchants.contains_key(&session.merchant) {
            return Err(constraint_violation("a session needs its merchant"));
        }
        let found = self.sessions.get(&session.id);
        let version = found.map_or(0, |row| row.session.version);
        if session.version == 0 || version != session.version - 1 {
            return Err(CommitError::Conflict);
        }
        let row = SessionRow {
            session: session.clone(),
            claim: found.and_then(|row| row.claim),
        };
        self.sessions.insert(session.id, row);
        Ok(())
    }

    fn insert_operation(&mut self, new: NewOperation) -> Result<(), CommitError> {
        let id = new.operation.id;
        if !self.sessions.contains_key(&new.operation.session) {
            return Err(constraint_violation("an operation needs its session"));
        }
        let row = OperationRow {
            request: new.operation.is_open().then_some(new.request),
            operation: new.operation,
            next_try_at: new.next_try_at,
            tries: 0,
            claim: None,
        };
        match self.operations.insert(id, row) {
            None => Ok(()),
            Some(_) => Err(constraint_violation("an operation is inserted once")),
        }
    }

    fn change_operation(&mut self, changed: ChangedOperation) -> Result<(), CommitError> {
        let row = self
            .operations
            .get_mut(&changed.operation.id)
            .ok_or_else(|| constraint_violation("an operation to update is missing"))?;
        if !changed.operation.is_open() {
            row.request = None;
        }
        row.next_try_at = changed.next_try_at.unwrap_or(row.next_try_at);
        row.operation = changed.operation;
        Ok(())
    }

    fn insert_event(&mut self, new: NewEvent, session: &Session) -> Result<(), CommitError> {
        let number = |stored: &StoredEvent| (stored.event.session, stored.event.sequence);
        let stored = StoredEvent {
            id: new.id,
            event: new.event,
            merchant_reference: session.reference.clone(),
            metadata: session.metadata.clone(),
        };
        let taken = |other: &StoredEvent| number(other) == number(&stored) || other.id == stored.id;
        if self.events.iter().any(taken) {
            return Err(constraint_violation("an event's number is used once"));
        }
        self.enqueue_delivery(&stored);
        self.events.push(stored);
        Ok(())
    }

    /// Enqueues an event's delivery if the merchant has an enabled endpoint.
    fn enqueue_delivery(&mut self, stored: &StoredEvent) {
        let event = &stored.event;
        let Some(endpoint) = self.endpoints.get(&event.merchant) else {
            return;
        };
        if endpoint.disabled.is_some() {
            return;
        }
        let row = DeliveryRow::of(stored, endpoint);
        self.deliveries.insert(stored.id, row);
    }

    pub(super) fn write_idempotency_record(
        &mut self,
        write: IdempotencyWrite,
    ) -> Result<(), CommitError> {
        match write {
            IdempotencyWrite::Reserve {
                scope,
                fingerprint,
                operation,
                at,
            } => {
                let row = KeyRow {
                    fingerprint,
                    operation: Some(operation),
                    response: None,
                };
                self.reserve_key(scope, row, at)
            }
            IdempotencyWrite::ReserveAndComplete {
                scope,
                fingerprint,
                response,
                at,
            } => {
                let row = KeyRow {
                    fingerprint,
                    operation: None,
                    response: Some((response, at)),
                };
                self.reserve_key(scope, row, at)
            }
            IdempotencyWrite::Complete {
                scope,
                response,
                at,
            } => {
                if let Some(row) = self.keys.get_mut(&scope)
                    && row.response.is_none()
                {
                    row.response = Some((response, at));
                }
                Ok(())
            }
            IdempotencyWrite::Release { scope } => {
                if self
                    .keys
                    .get(&scope)
                    .is_some_and(|row| row.response.is_none())
                {
                    self.keys.remove(&scope);
                }
                Ok(())
            }
        }
    }

    fn reserve_key(
        &mut self,
        scope: IdempotencyScope,
        row: KeyRow,
        at: Timestamp,
    ) -> Result<(), CommitError> {
        let is_open = |id| {
            let row = self.operations.get(&id);
            row.is_some_and(|row| row.operation.is_open())
        };
        let is_over = |found: &KeyRow| {
            let answered = found.response.as_ref().map(|(_, at)| *at);
            answered.is_some_and(|then| then.plus_seconds(IDEMPOTENCY_RETENTION_SECONDS) < at)
                && !found.operation.is_some_and(is_open)
        };
        if self.keys.get(&scope).is_some_and(|found| !is_over(found)) {
            return Err(CommitError::IdempotencyKeyTaken);
        }
        self.keys.insert(scope, row);
        Ok(())
    }
}
