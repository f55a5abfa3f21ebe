//! The inbox, the webhook repository and the webhook sender with planned faults.

use async_trait::async_trait;
use oncharge_domain::{
    audit::AuditEntry,
    id::{ApiKeyId, EventId, MerchantId, NotificationId},
    merchant::ApiKey,
    time::Timestamp,
    webhook::{DeliveryAttempt, SendError, WebhookEndpoint},
};
use oncharge_ports::{
    CommitError, Inbox, StoreError, WebhookRepository, WebhookSender,
    inbox::{NewNotification, NotificationOutcome, StoredNotification, StuckNotificationFilter},
    queries::StoredEvent,
    webhook_repository::{
        AttemptRecord, EndpointWrite, OutgoingDelivery, Redelivery, SecretRotation,
    },
    webhook_sender::{SendOutcome, Webhook},
};
use oncharge_testkit::ScriptedSender;

use super::{
    fault_plan::{FaultPlan, PlannedFault},
    faulty_store::FaultyStore,
};

impl FaultyStore {
    /// Executes the write with the fault planned for it.
    async fn with_planned_fault<T>(
        &self,
        write: impl Future<Output = Result<T, CommitError>> + Send,
    ) -> Result<T, CommitError> {
        let fault = self.fault_plan.at_write();
        match fault {
            Some(PlannedFault::Before) => {
                return Err(StoreError::Unavailable("a fault was planned".into()).into());
            }
            Some(PlannedFault::Between) => return Err(CommitError::LeaseLost),
            Some(PlannedFault::CrashBefore) => self.fault_plan.crash().await,
            Some(PlannedFault::After | PlannedFault::CrashAfter) | None => {}
        }
        let written = write.await;
        match fault {
            Some(PlannedFault::After) => Err(CommitError::OutcomeUnknown),
            Some(PlannedFault::CrashAfter) => self.fault_plan.crash().await,
            _ => written,
        }
    }
}

#[async_trait]
impl Inbox for FaultyStore {
    async fn receive(&self, new: &NewNotification) -> Result<bool, StoreError> {
        let receiving = async { Ok(self.inner.receive(new).await?) };
        let received = self.with_planned_fault(receiving).await;
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

    async fn close(&self, outcome: &NotificationOutcome) -> Result<(), CommitError> {
        self.with_planned_fault(self.inner.close(outcome)).await
    }

    async fn dismiss(&self, id: NotificationId, audit: &AuditEntry) -> Result<bool, StoreError> {
        self.inner.dismiss(id, audit).await
    }

    async fn dismiss_all(
        &self,
        stuck: &StuckNotificationFilter,
        limit: u32,
        audit: &AuditEntry,
    ) -> Result<u64, StoreError> {
        self.inner.dismiss_all(stuck, limit, audit).await
    }
}

#[async_trait]
impl WebhookRepository for FaultyStore {
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
        self.with_planned_fault(self.inner.rotate_secret(rotation))
            .await
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

    async fn end_orphaned_deliveries(&self, of: Option<MerchantId>) -> Result<u64, StoreError> {
        self.inner.end_orphaned_deliveries(of).await
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

    async fn attempts(&self, event: EventId) -> Result<Vec<DeliveryAttempt>, StoreError> {
        self.inner.attempts(event).await
    }

    async fn outgoing(&self, events: &[EventId]) -> Result<Vec<OutgoingDelivery>, StoreError> {
        self.inner.outgoing(events).await
    }

    async fn record(&self, attempt_record: &AttemptRecord) -> Result<(), CommitError> {
        self.with_planned_fault(self.inner.record(attempt_record))
            .await
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

/// The webhook sender with planned faults.
pub(super) struct FaultySender {
    pub(super) inner: ScriptedSender,
    pub(super) fault_plan: std::sync::Arc<FaultPlan>,
}

#[async_trait]
impl WebhookSender for FaultySender {
    async fn send(&self, webhook: &Webhook) -> SendOutcome {
        let lost = |error| SendOutcome {
            status: Err(error),
            response: String::new(),
            retry_after: None,
            latency: ScriptedSender::LATENCY,
        };
        let fault = self.fault_plan.at_webhook();
        match fault {
            Some(PlannedFault::Before) => return lost(SendError::CannotConnect),
            Some(PlannedFault::Between) => return lost(SendError::Timeout),
            Some(PlannedFault::CrashBefore) => self.fault_plan.crash().await,
            Some(PlannedFault::After | PlannedFault::CrashAfter) | None => {}
        }
        let sent = self.inner.send(webhook).await;
        match fault {
            Some(PlannedFault::After) => lost(SendError::BrokenAnswer),
            Some(PlannedFault::CrashAfter) => self.fault_plan.crash().await,
            _ => sent,
        }
    }
}
