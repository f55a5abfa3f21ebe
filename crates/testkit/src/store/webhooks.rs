//! `WebhookRepository` of the in-memory store.

use async_trait::async_trait;
use oncharge_domain::{
    audit::AuditEntry,
    id::{ApiKeyId, EventId, MerchantId},
    merchant::ApiKey,
    time::Timestamp,
    webhook::{
        Delivery, DeliveryAttempt, DeliveryState, DisableReason, DisabledState, EndpointChange,
        WebhookEndpoint,
    },
};
use oncharge_ports::{
    CommitError, StoreError, WebhookRepository,
    queries::StoredEvent,
    unit_of_work::LeasedItem,
    webhook_repository::{
        AttemptRecord, EndpointWrite, MAX_ENDED_AT_ONCE, OutgoingDelivery, Redelivery,
        SecretRotation,
    },
};

use super::{
    MemoryStore,
    commit::constraint_violation,
    state::{DeliveryRow, State},
};

#[async_trait]
impl WebhookRepository for MemoryStore {
    async fn endpoint(&self, merchant: MerchantId) -> Result<Option<WebhookEndpoint>, StoreError> {
        Ok(self.state().endpoints.get(&merchant).cloned())
    }

    async fn set_endpoint(
        &self,
        endpoint: &WebhookEndpoint,
        audit: &AuditEntry,
    ) -> Result<EndpointWrite, StoreError> {
        let mut state = self.state();
        if !state.merchants.contains_key(&endpoint.merchant) {
            let rule = "an endpoint needs its merchant";
            return Err(StoreError::Failed(rule.into()));
        }
        if state.orphaned_deliveries(Some(endpoint.merchant)).count() > 0 {
            return Ok(EndpointWrite::OrphanedDeliveries);
        }
        let created_at = match state.endpoints.get(&endpoint.merchant) {
            None if endpoint.version == 1 => endpoint.created_at,
            Some(before) if (before.id, before.version + 1) == (endpoint.id, endpoint.version) => {
                before.created_at
            }
            _ => return Ok(EndpointWrite::Stale),
        };
        let written = WebhookEndpoint {
            created_at,
            ..endpoint.clone()
        };
        state.endpoints.insert(endpoint.merchant, written);
        state.audit.push(audit.clone());
        Ok(EndpointWrite::Written)
    }

    async fn change_key(
        &self,
        read: &WebhookEndpoint,
        key: ApiKeyId,
        audit: &AuditEntry,
    ) -> Result<bool, StoreError> {
        let mut state = self.state();
        let Some(endpoint) = state.if_unchanged(read) else {
            return Ok(false);
        };
        if endpoint.disabled.is_some() {
            return Ok(false);
        }
        endpoint.version += 1;
        endpoint.key = key;
        endpoint.failing_since = None;
        endpoint.updated_at = audit.at;
        state.audit.push(audit.clone());
        Ok(true)
    }

    async fn rotate_secret(&self, rotation: &SecretRotation) -> Result<bool, CommitError> {
        let rotated = self.write(|state| {
            if let Some(remembered) = &rotation.remembered {
                state.write_idempotency_record(remembered.clone())?;
            }
            let endpoint = state
                .if_unchanged(&rotation.read)
                .ok_or(CommitError::Conflict)?;
            endpoint.version += 1;
            endpoint.secrets = rotation.secrets.clone();
            endpoint.updated_at = rotation.audit.at;
            state.audit.push(rotation.audit.clone());
            Ok(())
        });
        match rotated.await {
            Ok(()) => Ok(true),
            Err(CommitError::Conflict) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn remove_endpoint(
        &self,
        merchant: MerchantId,
        audit: &AuditEntry,
    ) -> Result<bool, StoreError> {
        let mut state = self.state();
        if state.endpoints.remove(&merchant).is_none() {
            return Ok(false);
        }
        state.end_orphaned_deliveries(Some(merchant), self.clock.now());
        state.audit.push(audit.clone());
        Ok(true)
    }

    async fn end_orphaned_deliveries(&self, of: Option<MerchantId>) -> Result<u64, StoreError> {
        let now = self.clock.now();
        Ok(self.state().end_orphaned_deliveries(of, now))
    }

    async fn signing_keys(
        &self,
        merchant: MerchantId,
        now: Timestamp,
    ) -> Result<Vec<ApiKey>, StoreError> {
        let state = self.state();
        let endpoint = state.endpoints.get(&merchant);
        let is_endpoints = |key: &ApiKey| endpoint.is_some_and(|found| found.key == key.id);
        let keys = state.api_keys.values();
        let can_sign = keys.filter(|key| {
            let is_meant = key.is_active() || key.is_valid(now) && is_endpoints(key);
            key.merchant == merchant && is_meant
        });
        Ok(can_sign.cloned().collect())
    }

    async fn event(
        &self,
        merchant: MerchantId,
        id: EventId,
    ) -> Result<Option<StoredEvent>, StoreError> {
        Ok(self.state().event(merchant, id).cloned())
    }

    async fn attempts(&self, event: EventId) -> Result<Vec<DeliveryAttempt>, StoreError> {
        Ok(self.attempts_of(event))
    }

    async fn outgoing(&self, events: &[EventId]) -> Result<Vec<OutgoingDelivery>, StoreError> {
        let state = self.state();
        let with_all = |id: &EventId| {
            let delivery = state.deliveries.get(id)?.delivery.clone();
            Some(OutgoingDelivery {
                event: state.event(delivery.merchant, *id)?.clone(),
                endpoint: state.endpoints.get(&delivery.merchant).cloned(),
                delivery,
            })
        };
        Ok(events.iter().filter_map(with_all).collect())
    }

    async fn record(&self, attempt_record: &AttemptRecord) -> Result<(), CommitError> {
        let now = self.clock.now();
        self.write(|state| state.record(attempt_record, now)).await
    }

    async fn redeliver(
        &self,
        merchant: MerchantId,
        event: EventId,
        now: Timestamp,
    ) -> Result<Redelivery, StoreError> {
        let mut state = self.state();
        let Some(stored) = state.event(merchant, event).cloned() else {
            return Ok(Redelivery::NotFound);
        };
        let endpoint = state.endpoints.get(&merchant).cloned();
        let Some(endpoint) = endpoint.filter(|endpoint| endpoint.disabled.is_none()) else {
            return Ok(Redelivery::NoEndpoint);
        };
        let row = state
            .deliveries
            .entry(event)
            .and_modify(|row| row.delivery.round += 1)
            .or_insert_with(|| DeliveryRow::of(&stored, &endpoint));
        row.delivery.endpoint = endpoint.id;
        row.delivery.url = endpoint.url;
        row.delivery.state = DeliveryState::Pending;
        row.delivery.failures = 0;
        row.next_try_at = Some(now);
        row.ended_at = None;
        Ok(Redelivery::Due)
    }
}

impl DeliveryRow {
    /// A delivery of an event to this endpoint, due at once.
    pub(super) fn of(stored: &StoredEvent, endpoint: &WebhookEndpoint) -> Self {
        let event = &stored.event;
        Self {
            delivery: Delivery {
                event: stored.id,
                session: event.session,
                merchant: event.merchant,
                sequence: event.sequence,
                endpoint: endpoint.id,
                url: endpoint.url.clone(),
                state: DeliveryState::Pending,
                attempts: 0,
                failures: 0,
                round: 0,
            },
            created_at: event.at,
            next_try_at: Some(event.at),
            ended_at: None,
            attempts: Vec::new(),
            claim: None,
        }
    }
}

impl State {
    /// The endpoint, if it still has the version that was read.
    fn if_unchanged(&mut self, read: &WebhookEndpoint) -> Option<&mut WebhookEndpoint> {
        let present = self.endpoints.get_mut(&read.merchant);
        present.filter(|present| (present.id, present.version) == (read.id, read.version))
    }

    fn event(&self, merchant: MerchantId, id: EventId) -> Option<&StoredEvent> {
        let is_it = |stored: &&StoredEvent| stored.id == id && stored.event.merchant == merchant;
        self.events.iter().find(is_it)
    }

    /// Orphaned deliveries of this merchant, or of all.
    fn orphaned_deliveries(&self, of: Option<MerchantId>) -> impl Iterator<Item = EventId> {
        let is_meant = move |row: &DeliveryRow| {
            let delivery = &row.delivery;
            let endpoint = self.endpoints.get(&delivery.merchant);
            let has_ended = endpoint
                .is_none_or(|endpoint| endpoint.disabled.is_some() && endpoint.url == delivery.url);
            has_ended
                && row.next_try_at.is_some()
                && of.is_none_or(|merchant| merchant == delivery.merchant)
        };
        let rows = self.deliveries.iter();
        rows.filter(move |(_, row)| is_meant(row))
            .map(|(event, _)| *event)
    }

    fn end_orphaned_deliveries(&mut self, of: Option<MerchantId>, now: Timestamp) -> u64 {
        let most = MAX_ENDED_AT_ONCE as usize;
        let events: Vec<EventId> = self.orphaned_deliveries(of).take(most).collect();
        for event in &events {
            if let Some(row) = self.deliveries.get_mut(event) {
                row.mark_dead(now);
            }
        }
        events.len() as u64
    }

    fn record(
        &mut self,
        attempt_record: &AttemptRecord,
        now: Timestamp,
    ) -> Result<(), CommitError> {
        let LeasedItem::Delivery(event) = attempt_record.lease.item else {
            return Err(constraint_violation(
                "an attempt is recorded under its delivery's lease",
            ));
        };
        if self.live_claim(attempt_record.lease, now).is_none() {
            return Err(CommitError::LeaseLost);
        }
        let (after, attempt) = (&attempt_record.after, &attempt_record.attempt);
        if let Some(row) = self.deliveries.get_mut(&event) {
            let is_there = |number| row.attempts.iter().any(|other| other.number == number);
            if attempt.as_ref().is_some_and(|new| is_there(new.number)) {
                return Err(constraint_violation("an attempt is recorded once"));
            }
            row.attempts.extend(attempt.clone());
            row.delivery.attempts = after.delivery.attempts;
            row.claim = None;
            // A delivery that was redelivered or ended meanwhile is not changed by this attempt.
            let is_same_round = row.delivery.round == after.delivery.round;
            if is_same_round && row.delivery.state == DeliveryState::Pending {
                row.delivery.state = after.delivery.state;
                row.delivery.failures = after.delivery.failures;
                row.next_try_at = after.next_try_at;
                row.ended_at = after.next_try_at.is_none().then_some(now);
            }
        }
        self.change_endpoint(attempt_record, now);
        Ok(())
    }

    fn change_endpoint(&mut self, attempt_record: &AttemptRecord, now: Timestamp) {
        let delivery = &attempt_record.after.delivery;
        let (merchant, url) = (delivery.merchant, &delivery.url);
        let endpoint = self.endpoints.get_mut(&merchant);
        let Some(endpoint) = endpoint.filter(|endpoint| endpoint.url == *url) else {
            return;
        };
        match attempt_record.after.endpoint {
            EndpointChange::None => {}
            EndpointChange::Recovered => endpoint.failing_since = None,
            EndpointChange::Failing => {
                endpoint.failing_since.get_or_insert(attempt_record.at);
            }
            // The endpoint was set again or has recovered meanwhile.
            EndpointChange::Disabled(DisableReason::Failing)
                if endpoint.failing_since.is_none()
                    || endpoint.failing_since != attempt_record.failing_since => {}
            EndpointChange::Disabled(reason) => {
                endpoint.disabled = Some(DisabledState {
                    reason,
                    at: attempt_record.at,
                });
                self.end_orphaned_deliveries(Some(merchant), now);
                self.audit.extend(attempt_record.audit.clone());
            }
        }
    }
}
