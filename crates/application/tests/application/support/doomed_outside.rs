//! The inbox, the webhooks' store and the way to merchants, with a fate at each write and webhook.

use async_trait::async_trait;
use oncharge_domain::{
    audit::AuditEntry,
    id::{ApiKeyId, EventId, MerchantId, NotificationId},
    merchant::ApiKey,
    time::Timestamp,
    webhook::{Attempt, SendError, WebhookEndpoint},
};
use oncharge_ports::{
    CommitError, Inbox, StoreError, WebhookRepository, WebhookSender,
    inbox::{NewNotification, Settled, StoredNotification, StuckNotifications},
    queries::StoredEvent,
    webhook_repository::{EndpointWrite, Outgoing, Recorded, Redelivery, SecretRotation},
    webhook_sender::{Sent, Webhook},
};
use oncharge_testkit::ScriptedSender;

use super::{
    doomed_store::DoomedStore,
    fate::{Fate, Harm},
};

impl DoomedStore {
    /// Writes with what was planned for this write.
    async fn fatefully<T>(
        &self,
        write: impl Future<Output = Result<T, CommitError>> + Send,
    ) -> Result<T, CommitError> {
        let harm = self.fate.at_write();
        match harm {
            Some(Harm::Before) => {
                return Err(StoreError::Unavailable("a fault was planned".into()).into());
            }
            Some(Harm::Between) => return Err(CommitError::LeaseLost),
            Some(Harm::DieBefore) => self.fate.die().await,
            Some(Harm::After | Harm::DieAfter) | None => {}
        }
        let written = write.await;
        match harm {
            Some(Harm::After) => Err(CommitError::OutcomeUnknown),
            Some(Harm::DieAfter) => self.fate.die().await,
            _ => written,
        }
    }
}

#[async_trait]
impl Inbox for DoomedStore {
    async fn receive(&self, new: &NewNotification) -> Result<bool, StoreError> {
        let receiving = async { Ok(self.inner.receive(new).await?) };
        let received = self.fatefully(receiving).await;
        received.map_err(|error| match error {
            CommitError::Store(error) => error,
            other => StoreError::Unavailable(other.into()),
        })
    }

    async fn notification(
        &self,
        id: NotificationId,
    ) -> Result<Option<StoredNotification>, StoreError> {
        self.inner.notification(id).await
    }

    async fn settle(&self, settled: &Settled) -> Result<(), CommitError> {
        self.fatefully(self.inner.settle(settled)).await
    }

    async fn dismiss(&self, id: NotificationId, audit: &AuditEntry) -> Result<bool, StoreError> {
        self.inner.dismiss(id, audit).await
    }

    async fn dismiss_all(
        &self,
        stuck: &StuckNotifications,
        limit: u32,
        audit: &AuditEntry,
    ) -> Result<u64, StoreError> {
        self.inner.dismiss_all(stuck, limit, audit).await
    }
}

#[async_trait]
impl WebhookRepository for DoomedStore {
    async fn endpoint(&self, merchant: MerchantId) -> Result<Option<WebhookEndpoint>, StoreError> {
        self.inner.endpoint(merchant).await
    }

    async fn set_endpoint(
        &self,
        endpoint: &WebhookEndpoint,
        audit: &AuditEntry,
    ) -> Result<EndpointWrite, StoreError> {
        self.inner.set_endpoint(endpoint, audit).await
    }

    async fn rotate_secret(&self, rotation: &SecretRotation) -> Result<bool, CommitError> {
        self.fatefully(self.inner.rotate_secret(rotation)).await
    }

    async fn change_key(
        &self,
        read: &WebhookEndpoint,
        key: ApiKeyId,
        audit: &AuditEntry,
    ) -> Result<bool, StoreError> {
        self.inner.change_key(read, key, audit).await
    }

    async fn remove_endpoint(
        &self,
        merchant: MerchantId,
        audit: &AuditEntry,
    ) -> Result<bool, StoreError> {
        self.inner.remove_endpoint(merchant, audit).await
    }

    async fn end_left_over(&self, of: Option<MerchantId>) -> Result<u64, StoreError> {
        self.inner.end_left_over(of).await
    }

    async fn signing_keys(
        &self,
        merchant: MerchantId,
        now: Timestamp,
    ) -> Result<Vec<ApiKey>, StoreError> {
        self.inner.signing_keys(merchant, now).await
    }

    async fn event(
        &self,
        merchant: MerchantId,
        id: EventId,
    ) -> Result<Option<StoredEvent>, StoreError> {
        self.inner.event(merchant, id).await
    }

    async fn attempts(&self, event: EventId) -> Result<Vec<Attempt>, StoreError> {
        self.inner.attempts(event).await
    }

    async fn outgoing(&self, events: &[EventId]) -> Result<Vec<Outgoing>, StoreError> {
        self.inner.outgoing(events).await
    }

    async fn record(&self, recorded: &Recorded) -> Result<(), CommitError> {
        self.fatefully(self.inner.record(recorded)).await
    }

    async fn redeliver(
        &self,
        merchant: MerchantId,
        event: EventId,
        now: Timestamp,
    ) -> Result<Redelivery, StoreError> {
        self.inner.redeliver(merchant, event, now).await
    }
}

/// The way to the merchant, with a fate at each webhook.
pub(super) struct DoomedSender {
    pub(super) inner: ScriptedSender,
    pub(super) fate: std::sync::Arc<Fate>,
}

#[async_trait]
impl WebhookSender for DoomedSender {
    async fn send(&self, webhook: &Webhook) -> Sent {
        let lost = |error| Sent {
            answer: Err(error),
            response: String::new(),
            retry_after: None,
            latency: ScriptedSender::LATENCY,
        };
        let harm = self.fate.at_webhook();
        match harm {
            Some(Harm::Before) => return lost(SendError::CannotConnect),
            Some(Harm::Between) => return lost(SendError::Timeout),
            Some(Harm::DieBefore) => self.fate.die().await,
            Some(Harm::After | Harm::DieAfter) | None => {}
        }
        let sent = self.inner.send(webhook).await;
        match harm {
            Some(Harm::After) => lost(SendError::BrokenAnswer),
            Some(Harm::DieAfter) => self.fate.die().await,
            _ => sent,
        }
    }
}
