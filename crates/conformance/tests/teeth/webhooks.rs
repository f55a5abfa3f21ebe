//! Flaws of endpoints and deliveries.

use std::time::Duration;

use async_trait::async_trait;
use oncharge_domain::{
    audit::{AuditAction, AuditEntry},
    id::{ApiKeyId, EventId, MerchantId},
    merchant::ApiKey,
    time::Timestamp,
    webhook::{Attempt, DeliveryState, Disabled, DisabledBecause, EndpointChange, WebhookEndpoint},
};
use oncharge_ports::{
    CommitError, StoreError, WebhookRepository, WorkQueue,
    queries::StoredEvent,
    webhook_repository::{EndpointWrite, Outgoing, Recorded, Redelivery, SecretRotation},
};
use oncharge_testkit::Builder;

use super::{Flaw, Flawed};

fn audit() -> AuditEntry {
    Builder::new(3).audit(AuditAction::EndpointSet)
}

impl Flawed {
    /// Writes this endpoint, whatever is there by now.
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

    /// Disables the endpoint, but lets go on what is on the way to it.
    async fn only_disable(&self, recorded: &Recorded) -> Result<(), CommitError> {
        let EndpointChange::Disabled(because) = recorded.after.endpoint else {
            return self.store.record(recorded).await;
        };
        let mut other = recorded.clone();
        other.after.endpoint = EndpointChange::None;
        self.store.record(&other).await?;
        self.disable(recorded, because).await
    }

    /// Sets an endpoint as if nothing were left over, so that this is its own: the left over are
    /// ended, and redelivered.
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
        if written != EndpointWrite::LeftOver {
            return Ok(written);
        }
        while self.store.end_left_over(Some(merchant)).await? > 0 {}
        let kept = self.store.set_endpoint(endpoint, entry).await?;
        for delivery in pending {
            let event = delivery.event;
            self.store.redeliver(merchant, event, entry.at).await?;
        }
        Ok(kept)
    }

    /// Ends every lease that was given.
    async fn end_leases(&self) -> Result<(), StoreError> {
        let leases = self.leases.lock().unwrap().clone();
        for lease in leases {
            self.store.renew(lease, Duration::ZERO).await?;
        }
        Ok(())
    }

    /// Brings a dead delivery back, so that what is recorded counts, where there is an endpoint.
    async fn wake(&self, recorded: &mut Recorded) -> Result<(), StoreError> {
        let (event, merchant) = (
            recorded.after.delivery.event,
            recorded.after.delivery.merchant,
        );
        let found = self.store.outgoing(&[event]).await?;
        let Some(Outgoing {
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
            self.store.redeliver(merchant, event, recorded.at).await?;
            self.overwrite(&endpoint, &audit()).await?;
            recorded.after.delivery.round = delivery.round + 1;
        }
        Ok(())
    }

    async fn disable(
        &self,
        recorded: &Recorded,
        because: DisabledBecause,
    ) -> Result<(), CommitError> {
        let merchant = recorded.after.delivery.merchant;
        if let Some(mut endpoint) = self.store.endpoint(merchant).await? {
            let at = recorded.at;
            endpoint.disabled = Some(Disabled { because, at });
            self.overwrite(&endpoint, &audit()).await?;
        }
        Ok(())
    }
}

#[async_trait]
impl WebhookRepository for Flawed {
    async fn endpoint(&self, merchant: MerchantId) -> Result<Option<WebhookEndpoint>, StoreError> {
        self.store.endpoint(merchant).await
    }

    async fn set_endpoint(
        &self,
        endpoint: &WebhookEndpoint,
        entry: &AuditEntry,
    ) -> Result<EndpointWrite, StoreError> {
        if self.has(Flaw::RevivesLeftOvers) {
            return self.revive(endpoint, entry).await;
        }
        if self.has(Flaw::ReplacesEndpoints) {
            self.store
                .remove_endpoint(endpoint.merchant, &audit())
                .await?;
            return self.overwrite(endpoint, entry).await;
        }
        if self.has(Flaw::WritesStaleEndpoints) {
            return self.overwrite(endpoint, entry).await;
        }
        self.store.set_endpoint(endpoint, entry).await
    }

    async fn rotate_secret(&self, rotation: &SecretRotation) -> Result<bool, CommitError> {
        let mut rotation = rotation.clone();
        if self.has(Flaw::IgnoresKeys) {
            rotation.remembered = None;
        }
        let mut rotated = self.store.rotate_secret(&rotation).await?;
        while !rotated && self.has(Flaw::WritesStaleEndpoints) {
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
        if self.has(Flaw::ChangesAnyKey)
            && let Some(present) = self.store.endpoint(read.merchant).await?
        {
            return self.store.change_key(&present, key, audit).await;
        }
        if self.has(Flaw::SetsWhatWasRead) {
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
        if self.has(Flaw::EndsLeases) {
            self.end_leases().await?;
        }
        if self.has(Flaw::RemovesEverybodys) {
            let others = open.iter().map(|delivery| delivery.merchant);
            for other in others.filter(|other| *other != merchant) {
                self.store.remove_endpoint(other, entry).await?;
            }
        }
        Ok(removed)
    }

    async fn end_left_over(&self, of: Option<MerchantId>) -> Result<u64, StoreError> {
        match self.flaw {
            Flaw::LeavesOver => Ok(0),
            Flaw::EndsAllAtOnce => {
                let mut ended = 0;
                loop {
                    match self.store.end_left_over(of).await? {
                        0 => return Ok(ended),
                        more => ended += more,
                    }
                }
            }
            Flaw::EndsAnybodys => self.store.end_left_over(None).await,
            _ => self.store.end_left_over(of).await,
        }
    }

    async fn signing_keys(
        &self,
        merchant: MerchantId,
        now: Timestamp,
    ) -> Result<Vec<ApiKey>, StoreError> {
        let now = if self.has(Flaw::SignsWithEndedKeys) {
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

    async fn attempts(&self, event: EventId) -> Result<Vec<Attempt>, StoreError> {
        let mut attempts = self.store.attempts(event).await?;
        if self.has(Flaw::KeepsLastAttempt) && attempts.len() > 1 {
            attempts.drain(..attempts.len() - 1);
        }
        Ok(attempts)
    }

    async fn outgoing(&self, events: &[EventId]) -> Result<Vec<Outgoing>, StoreError> {
        self.store.outgoing(events).await
    }

    async fn record(&self, recorded: &Recorded) -> Result<(), CommitError> {
        let mut recorded = recorded.clone();
        match self.flaw {
            Flaw::SparesDeliveries => return self.only_disable(&recorded).await,
            Flaw::IgnoresLeases => {
                let result = self.store.record(&recorded).await;
                return match result {
                    Err(CommitError::LeaseLost) => Ok(()),
                    _ => result,
                };
            }
            Flaw::BlamesPresentEndpoint => {
                let merchant = recorded.after.delivery.merchant;
                if let Some(endpoint) = self.store.endpoint(merchant).await? {
                    recorded.after.delivery.url = endpoint.url;
                }
            }
            Flaw::ForgetsRounds => {
                let found = self
                    .store
                    .outgoing(&[recorded.after.delivery.event])
                    .await?;
                if let Some(outgoing) = found.first() {
                    recorded.after.delivery.round = outgoing.delivery.round;
                }
            }
            Flaw::WakesTheDead => self.wake(&mut recorded).await?,
            Flaw::BearsGrudges => {
                let merchant = recorded.after.delivery.merchant;
                if let Some(mut endpoint) = self.store.endpoint(merchant).await? {
                    endpoint.failing_since = recorded.failing_since;
                    self.overwrite(&endpoint, &audit()).await?;
                }
            }
            _ => {}
        }
        self.store.record(&recorded).await?;
        if matches!(recorded.after.endpoint, EndpointChange::Disabled(_))
            && self.has(Flaw::EndsLeases)
        {
            self.end_leases().await?;
        }
        if let (EndpointChange::Disabled(because), Flaw::KillsTooMuch) =
            (recorded.after.endpoint, self.flaw)
        {
            let merchant = recorded.after.delivery.merchant;
            let before = self.store.endpoint(merchant).await?;
            self.store.remove_endpoint(merchant, &audit()).await?;
            if let Some(endpoint) = before {
                self.overwrite(&endpoint, &audit()).await?;
            }
            self.disable(&recorded, because).await?;
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
        if self.has(Flaw::RedeliversAnybodys)
            && let Some(outgoing) = found.first()
        {
            merchant = outgoing.delivery.merchant;
        }
        if self.has(Flaw::RedeliversNothing) {
            return Ok(Redelivery::Due);
        }
        let redelivery = self.store.redeliver(merchant, event, now).await?;
        if self.has(Flaw::BreaksOff) {
            self.end_leases().await?;
        }
        Ok(redelivery)
    }
}
