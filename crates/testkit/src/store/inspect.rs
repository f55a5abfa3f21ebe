//! Look-ups in the in-memory store that only tests need.

use oncharge_domain::{
    audit::AuditEntry,
    id::{EventId, MerchantId, OperationId, SessionId, ShardSlot},
    operation::Operation,
    refund::Refund,
    time::Timestamp,
    webhook::{Delivery, DeliveryAttempt, WebhookEndpoint},
};
use oncharge_ports::{inbox::StoredNotification, queries::StoredEvent};

use super::MemoryStore;

impl MemoryStore {
    /// The audit log, oldest first.
    pub fn audit(&self) -> Vec<AuditEntry> {
        self.state().audit.clone()
    }

    /// Every operation of this session, oldest first.
    pub fn operations_of(&self, session: SessionId) -> Vec<Operation> {
        let state = self.state();
        let rows = state.operations.values().map(|row| &row.operation);
        rows.filter(|operation| operation.session == session)
            .cloned()
            .collect()
    }

    /// Every refund of this session, oldest first.
    pub fn refunds_of(&self, session: SessionId) -> Vec<Refund> {
        let state = self.state();
        let of_session = |refund: &&Refund| refund.session == session;
        state.refunds.values().filter(of_session).cloned().collect()
    }

    /// Every event of this session, by sequence number.
    pub fn events_of(&self, session: SessionId) -> Vec<StoredEvent> {
        let state = self.state();
        let of_session = |stored: &&StoredEvent| stored.event.session == session;
        let mut events: Vec<_> = state.events.iter().filter(of_session).cloned().collect();
        events.sort_by_key(|stored| stored.event.sequence);
        events
    }

    /// When recovery next tries this operation; `None` if it is final or does not exist.
    pub fn next_try_at(&self, id: OperationId) -> Option<Timestamp> {
        let state = self.state();
        let row = state.operations.get(&id)?;
        row.operation.is_open().then_some(row.next_try_at)
    }

    /// The ids of all sessions, oldest first.
    pub fn session_ids(&self) -> Vec<SessionId> {
        self.state().sessions.keys().copied().collect()
    }

    /// Every delivery of this session's events, by the event's sequence number.
    pub fn deliveries_of(&self, session: SessionId) -> Vec<Delivery> {
        let state = self.state();
        let rows = state.deliveries.values().map(|row| &row.delivery);
        let of_session = |delivery: &&Delivery| delivery.session == session;
        let mut deliveries: Vec<_> = rows.filter(of_session).cloned().collect();
        deliveries.sort_by_key(|delivery| delivery.sequence);
        deliveries
    }

    /// Every delivery attempt of this event, in order.
    pub fn attempts_of(&self, event: EventId) -> Vec<DeliveryAttempt> {
        let state = self.state();
        let row = state.deliveries.get(&event);
        row.map(|row| row.attempts.clone()).unwrap_or_default()
    }

    /// When this event's delivery is next tried; `None` if it has ended or does not exist.
    pub fn delivery_due_at(&self, event: EventId) -> Option<Timestamp> {
        self.state().deliveries.get(&event)?.next_try_at
    }

    /// This merchant's endpoint.
    pub fn endpoint_of(&self, merchant: MerchantId) -> Option<WebhookEndpoint> {
        self.state().endpoints.get(&merchant).cloned()
    }

    /// Ids of rows that are not in their merchant's shard slot.
    pub fn ids_outside_their_slot(&self) -> Vec<String> {
        let state = self.state();
        let mut ids: Vec<(MerchantId, ShardSlot, String)> = Vec::new();
        for (id, (merchant, _)) in &state.units {
            ids.push((*merchant, id.slot(), id.to_string()));
        }
        for (id, row) in &state.sessions {
            ids.push((row.session.merchant, id.slot(), id.to_string()));
        }
        for (id, row) in &state.operations {
            ids.push((row.operation.merchant, id.slot(), id.to_string()));
        }
        for (id, refund) in &state.refunds {
            ids.push((refund.merchant, id.slot(), id.to_string()));
        }
        for stored in &state.events {
            let id = stored.id;
            ids.push((stored.event.merchant, id.slot(), id.to_string()));
        }
        for entry in &state.audit {
            let merchant = entry.merchant;
            ids.extend(merchant.map(|merchant| (merchant, entry.id.slot(), entry.id.to_string())));
        }
        for key in state.api_keys.values() {
            ids.push((key.merchant, key.id.slot(), key.id.to_string()));
        }
        ids.retain(|(merchant, slot, _)| merchant.slot() != *slot);
        ids.into_iter().map(|(_, _, id)| id).collect()
    }

    /// Every notification with its status, in order of receipt.
    pub fn notifications(&self) -> Vec<StoredNotification> {
        let state = self.state();
        let rows = state.notifications.values().map(|row| &row.stored);
        let mut found: Vec<_> = rows.cloned().collect();
        found.sort_by_key(|stored| (stored.new.received_at, stored.new.id));
        found
    }
}
