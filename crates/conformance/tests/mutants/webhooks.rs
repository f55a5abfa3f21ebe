//! Mutants of endpoints and deliveries.

use std::time::Duration;

use async_trait::async_trait;
use oncharge_domain::{
    audit::{AuditAction, AuditEntry},
    id::{ApiKeyId, EventId, MerchantId},
    merchant::ApiKey,
    time::Timestamp,
    webhook::{
        DeliveryAttempt, DeliveryState, DisableReason, DisabledState, EndpointChange,
        WebhookEndpoint,
    },
};
use oncharge_ports::{
    CommitError, StoreError, WebhookRepository, WorkQueue,
    queries::StoredEvent,
    webhook_repository::{
        AttemptRecord, EndpointWrite, OutgoingDelivery, Redelivery, SecretRotation,
    },
};
use oncharge_testkit::Builder;

use super::{MutantStore, Mutation};

fn audit() -> AuditEntry {
    Builder::new(3).audit(AuditAction::EndpointSet)
}

impl MutantStore {
    /// Writes this endpoint over any version.
    async fn overwrite(
        &self,
        endpoint: &WebhookEndpoint,
        entry: &AuditEntry,
    ) -> Result<EndpointWrite, StoreError> {
        let present = self.store.endpoint(endpoint.merchant).await?;
        let next = match present {
            Some(present) => WebhookEndpoint {
                id: present.id,
                version: present.version + 1,
                ..endpoint.clone()
            },
            None => WebhookEndpoint {
                version: 1,
                ..endpoint.clone()
            },
        };
        self.store.set_endpoint(&next, entry).await
    }

    /// Disables the endpoint, but does not end its deliveries.
    async fn disable_without_ending(
        &self,
        attempt_record: &AttemptRecord,
    ) -> Result<(), CommitError> {
        let EndpointChange::Disabled(reason) = attempt_record.after.endpoint else {
            return self.store.record(attempt_record).await;
        };
        let mut other = attempt_record.clone();
        other.after.endpoint = EndpointChange::None;
        self.store.record(&other).await?;
        self.disable(attempt_record, reason).await
    }

    /// Sets an endpoint as if there were no orphaned deliveries: ends them, and redelivers them to
    /// it.
    async fn revive(
        &self,
        endpoint: &WebhookEndpoint,
        entry: &AuditEntry,
    ) -> Result<EndpointWrite, StoreError> {
        let merchant = endpoint.merchant;
        let mut pending = Vec::new();
        for session in self.store.session_ids() {
            pending.extend(self.store.deliveries_of(session));
        }
        pending.retain(|one| one.merchant == merchant && one.state == DeliveryState::Pending);
        let written = self.store.set_endpoint(endpoint, entry).await?;
        if written != EndpointWrite::OrphanedDeliveries {
            return Ok(written);
        }
        while self.store.end_orphaned_deliveries(Some(merchant)).await? > 0 {}
        let kept = self.store.set_endpoint(endpoint, entry).await?;
        for delivery in pending {
            let event = delivery.event;
            self.store.redeliver(merchant, event, entry.at).await?;
        }
        Ok(kept)
    }

    /// Ends all leases that were issued.
    async fn end_leases(&self) -> Result<(), StoreError> {
        let leases = self.leases.lock().unwrap().clone();
        for lease in leases {
            self.store.renew(lease, Duration::ZERO).await?;
        }
        Ok(())
    }

    /// Makes a dead delivery pending again if there is an endpoint, so that the attempt is applied.
    async fn revive_delivery(&self, attempt_record: &mut AttemptRecord) -> Result<(), StoreError> {
        let (event, merchant) = (
            attempt_record.after.delivery.event,
            attempt_record.after.delivery.merchant,
        );
        let found = self.store.outgoing(&[event]).await?;
        let Some(OutgoingDelivery {
            delivery,
            endpoint: Some(endpoint),
            ..
        }) = found.into_iter().next()
        else {
            return Ok(());
        };
        if delivery.state == DeliveryState::Dead {
            let enabled = WebhookEndpoint {
                disabled: None,
                ..endpoint.clone()
            };
            self.overwrite(&enabled, &audit()).await?;
            self.store
                .redeliver(merchant, event, attempt_record.at)
                .await?;
            self.overwrite(&endpoint, &audit()).await?;
            attempt_record.after.delivery.round = delivery.round + 1;
        }
        Ok(())
    }

    async fn disable(
        &self,
        attempt_record: &AttemptRecord,
        reason: DisableReason,
    ) -> Result<(), CommitError> {
        let merchant = attempt_record.after.delivery.merchant;
        if let Some(mut endpoint) = self.store.endpoint(merchant).await? {
            let at = attempt_record.at;
            endpoint.disabled = Some(DisabledState { reason, at });
            self.overwrite(&endpoint, &audit()).await?;
        }
        Ok(())
    }
}

#[async_trait]
impl WebhookRepository for MutantStore {
    async fn endpoint(&self, merchant: MerchantId) -> Result<Option<WebhookEndpoint>, StoreError> {
        self.store.endpoint(merchant).await
    }

    async fn set_endpoint(
        &self,
        endpoint: &WebhookEndpoint,
        entry: &AuditEntry,
    ) -> Result<EndpointWrite, StoreError> {
        if self.has(Mutation::RevivesOrphans) {
            return self.revive(endpoint, entry).await;
        }
        if self.has(Mutation::ReplacesEndpoints) {
            self.store
                .remove_endpoint(endpoint.merchant, &audit())
                .await?;
            return self.overwrite(endpoint, entry).await;
        }
        if self.has(Mutation::WritesStaleEndpoints) {
            return self.overwrite(endpoint, entry).await;
        }
        self.store.set_endpoint(endpoint, entry).await
    }

    async fn rotate_secret(&self, rotation: &SecretRotation) -> Result<bool, CommitError> {
        let mut rotation = rotation.clone();
        let mut rotated = self.store.rotate_secret(&rotation).await?;
        while !rotated && self.has(Mutation::WritesStaleEndpoints) {
            let Some(present) = self.store.endpoint(rotation.read.merchant).await? else {
                break;
            };
            rotation.read = present;
            rotated = self.store.rotate_secret(&rotation).await?;
        }
        Ok(rotated)
    }

    async fn change_key(
        &self,
        read: &WebhookEndpoint,
        key: ApiKeyId,
        audit: &AuditEntry,
    ) -> Result<bool, StoreError> {
        if self.has(Mutation::ChangesAnyVersion)
            && let Some(present) = self.store.endpoint(read.merchant).await?
        {
            return self.store.change_key(&present, key, audit).await;
        }
        if self.has(Mutation::WritesBackStaleRead) {
            let changed = WebhookEndpoint {
                key,
                updated_at: audit.at,
                ..read.clone()
            };
            self.overwrite(&changed, audit).await?;
            return Ok(true);
        }
        self.store.change_key(read, key, audit).await
    }

    async fn remove_endpoint(
        &self,
        merchant: MerchantId,
        entry: &AuditEntry,
    ) -> Result<bool, StoreError> {
        let mut open = Vec::new();
        for session in self.store.session_ids() {
            open.extend(self.store.deliveries_of(session));
        }
        let removed = self.store.remove_endpoint(merchant, entry).await?;
        if self.has(Mutation::EndsLeases) {
            self.end_leases().await?;
        }
        if self.has(Mutation::RemovesOtherMerchants) {
            let others = open.iter().map(|delivery| delivery.merchant);
            for other in others.filter(|other| *other != merchant) {
                self.store.remove_endpoint(other, entry).await?;
            }
        }
        Ok(removed)
    }

    async fn end_orphaned_deliveries(&self, of: Option<MerchantId>) -> Result<u64, StoreError> {
        match self.mutation {
            Mutation::EndsAllAtOnce => {
                let mut ended = 0;
                loop {
                    match self.store.end_orphaned_deliveries(of).await? {
                        0 => return Ok(ended),
                        more => ended += more,
                    }
                }
            }
            Mutation::EndsOtherMerchants => self.store.end_orphaned_deliveries(None).await,
            _ => self.store.end_orphaned_deliveries(of).await,
        }
    }

    async fn signing_keys(
        &self,
        merchant: MerchantId,
        now: Timestamp,
    ) -> Result<Vec<ApiKey>, StoreError> {
        let now = if self.has(Mutation::SignsWithEndedKeys) {
            Timestamp::from_unix_seconds(0).unwrap()
        } else {
            now
        };
        self.store.signing_keys(merchant, now).await
    }

    async fn event(
        &self,
        merchant: MerchantId,
        id: EventId,
    ) -> Result<Option<StoredEvent>, StoreError> {
        self.store.event(merchant, id).await
    }

    async fn attempts(&self, event: EventId) -> Result<Vec<DeliveryAttempt>, StoreError> {
        let mut attempts = self.store.attempts(event).await?;
        if self.has(Mutation::KeepsLastAttempt) && attempts.len() > 1 {
            attempts.drain(..attempts.len() - 1);
        }
        Ok(attempts)
    }

    async fn outgoing(&self, events: &[EventId]) -> Result<Vec<OutgoingDelivery>, StoreError> {
        self.store.outgoing(events).await
    }

    async fn record(&self, attempt_record: &AttemptRecord) -> Result<(), CommitError> {
        let mut attempt_record = attempt_record.clone();
        match self.mutation {
            Mutation::KeepsOpenDeliveries => {
                return self.disable_without_ending(&attempt_record).await;
            }
            Mutation::IgnoresLeases => {
                let result = self.store.record(&attempt_record).await;
                return match result {
                    Err(CommitError::LeaseLost) => Ok(()),
                    _ => result,
                };
            }
            Mutation::ChangesCurrentEndpoint => {
                let merchant = attempt_record.after.delivery.merchant;
                if let Some(endpoint) = self.store.endpoint(merchant).await? {
                    attempt_record.after.delivery.url = endpoint.url;
                }
            }
            Mutation::IgnoresRounds => {
                let found = self
                    .store
                    .outgoing(&[attempt_record.after.delivery.event])
                    .await?;
                if let Some(outgoing) = found.first() {
                    attempt_record.after.delivery.round = outgoing.delivery.round;
                }
            }
            Mutation::RevivesDeadDeliveries => self.revive_delivery(&mut attempt_record).await?,
            _ => {}
        }
        self.store.record(&attempt_record).await?;
        if matches!(attempt_record.after.endpoint, EndpointChange::Disabled(_))
            && self.has(Mutation::EndsLeases)
        {
            self.end_leases().await?;
        }
        if let (EndpointChange::Disabled(reason), Mutation::EndsOtherUrls) =
            (attempt_record.after.endpoint, self.mutation)
        {
            let merchant = attempt_record.after.delivery.merchant;
            let before = self.store.endpoint(merchant).await?;
            self.store.remove_endpoint(merchant, &audit()).await?;
            if let Some(endpoint) = before {
                self.overwrite(&endpoint, &audit()).await?;
            }
            self.disable(&attempt_record, reason).await?;
        }
        Ok(())
    }

    async fn redeliver(
        &self,
        mut merchant: MerchantId,
        event: EventId,
        now: Timestamp,
    ) -> Result<Redelivery, StoreError> {
        let found = self.store.outgoing(&[event]).await?;
        if self.has(Mutation::RedeliversForeignEvents)
            && let Some(outgoing) = found.first()
        {
            merchant = outgoing.delivery.merchant;
        }
        if self.has(Mutation::RedeliversNothing) {
            return Ok(Redelivery::Due);
        }
        let redelivery = self.store.redeliver(merchant, event, now).await?;
        if self.has(Mutation::EndsRunningAttempt) {
            self.end_leases().await?;
        }
        Ok(redelivery)
    }
}
