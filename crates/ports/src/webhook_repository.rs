//! Webhook endpoints, events, their deliveries and every delivery attempt.

use async_trait::async_trait;
use oncharge_domain::{
    audit::AuditEntry,
    id::{ApiKeyId, EventId, MerchantId},
    merchant::ApiKey,
    time::Timestamp,
    webhook::{Delivery, DeliveryAttempt, DeliveryOutcome, EndpointSecrets, WebhookEndpoint},
};

use crate::{
    error::{CommitError, StoreError},
    queries::StoredEvent,
    unit_of_work::{IdempotencyWrite, Lease},
};

/// The maximum number of deliveries ended in one transaction, which bounds its duration.
pub const MAX_ENDED_AT_ONCE: u32 = 500;

/// The store of webhook endpoints and deliveries. Deliveries are not created here: the commit that
/// writes an event creates one if the merchant has an enabled endpoint, to its URL
/// [`an_event_has_a_delivery_where_there_is_an_endpoint`].
///
/// When an endpoint ends, at most [`MAX_ENDED_AT_ONCE`] of its pending deliveries are ended in the
/// same transaction. The rest are *orphaned*: pending while their merchant has no endpoint, or a
/// disabled one with the delivery's URL. They are never sent;
/// [`WebhookRepository::end_orphaned_deliveries`] ends them, and no endpoint can be set before
/// that.
#[async_trait]
pub trait WebhookRepository: Send + Sync {
    /// The merchant's endpoint.
    async fn endpoint(&self, merchant: MerchantId) -> Result<Option<WebhookEndpoint>, StoreError>;

    /// Writes the merchant's endpoint: inserted if its version is 1, otherwise written over the
    /// preceding version [`endpoints_load_equal`], [`a_stale_endpoint_is_not_written`]. Open
    /// deliveries keep their URL. Nothing is written while the merchant has orphaned deliveries,
    /// which the new endpoint would revive [`orphaned_deliveries_are_not_revived`].
    async fn set_endpoint(
        &self,
        endpoint: &WebhookEndpoint,
        audit: &AuditEntry,
    ) -> Result<EndpointWrite, StoreError>;

    /// Sets the endpoint's key and marks it as working, if it is enabled and still the version that
    /// was read [`a_key_change_needs_the_version_read`]. Writes nothing and returns `false` if it
    /// was changed, disabled or removed in the meantime
    /// [`an_endpoint_update_survives_a_key_change`].
    async fn change_key(
        &self,
        read: &WebhookEndpoint,
        key: ApiKeyId,
        audit: &AuditEntry,
    ) -> Result<bool, StoreError>;

    /// Replaces the endpoint's secrets, if it is still the version that was read, and stores the
    /// response that shows the new one, in one commit [`a_secret_is_rotated_once`]. Writes nothing
    /// and returns `false` if it was changed or removed in the meantime. Whether it is disabled or
    /// failing does not change. Fails with `IdempotencyKeyTaken` if the idempotency key is taken.
    async fn rotate_secret(&self, rotation: &SecretRotation) -> Result<bool, CommitError>;

    /// Removes the merchant's endpoint and ends at most [`MAX_ENDED_AT_ONCE`] of its pending
    /// deliveries; `false` if there is none [`removing_an_endpoint_ends_its_deliveries`]. A running
    /// attempt keeps its lease and is recorded [`an_attempt_is_recorded_after_its_delivery_ends`].
    async fn remove_endpoint(
        &self,
        merchant: MerchantId,
        audit: &AuditEntry,
    ) -> Result<bool, StoreError>;

    /// Ends at most [`MAX_ENDED_AT_ONCE`] orphaned deliveries of this merchant, or of all
    /// merchants; returns how many. For one merchant, 0 means that none is left
    /// [`orphaned_deliveries_are_ended_in_batches`].
    async fn end_orphaned_deliveries(&self, of: Option<MerchantId>) -> Result<u64, StoreError>;

    /// The merchant's active keys and, if it is in its grace period at `now`, the key that the
    /// endpoint was set with: only those that can make a signature
    /// [`signing_keys_are_active_or_in_grace`].
    async fn signing_keys(
        &self,
        merchant: MerchantId,
        now: Timestamp,
    ) -> Result<Vec<ApiKey>, StoreError>;

    /// The event with this id, if it is this merchant's.
    async fn event(
        &self,
        merchant: MerchantId,
        id: EventId,
    ) -> Result<Option<StoredEvent>, StoreError>;

    /// Every attempt to deliver this event, in order.
    async fn attempts(&self, event: EventId) -> Result<Vec<DeliveryAttempt>, StoreError>;

    /// These events with their deliveries and endpoints, in any order; missing ones are left out.
    /// One round trip.
    async fn outgoing(&self, events: &[EventId]) -> Result<Vec<OutgoingDelivery>, StoreError>;

    /// Writes an attempt and everything that follows from it in one commit, and releases the lease.
    /// MUST fail with `LeaseLost`, and write nothing, if the lease does not hold
    /// [`a_lost_lease_cannot_record`].
    ///
    /// The attempt is always stored and counted. The delivery's state, failures and next attempt
    /// change only if it is still pending and in the round in which it was read: a delivery that
    /// was redelivered in the meantime stays due [`a_redelivery_survives_the_running_attempt`], a
    /// dead one stays dead [`an_attempt_is_recorded_after_its_delivery_ends`].
    ///
    /// The endpoint changes only while its URL is the delivery's. A change that disables it ends at
    /// most [`MAX_ENDED_AT_ONCE`] of the merchant's open deliveries to that URL
    /// [`disabling_an_endpoint_ends_its_deliveries`]. It is disabled for failing only if it has
    /// failed since [`AttemptRecord::failing_since`]; otherwise it was set or recovered in the
    /// meantime, and nothing is disabled, ended or audited
    /// [`a_recovered_endpoint_is_not_disabled`].
    async fn record(&self, attempt_record: &AttemptRecord) -> Result<(), CommitError>;

    /// Enqueues an event of this merchant for immediate delivery to the merchant's current
    /// endpoint, with its full number of attempts, whether or not it was delivered before: a new
    /// round begins. Earlier attempts are kept. A running one continues, and whatever its outcome,
    /// the event is sent again afterwards [`a_redelivery_survives_the_running_attempt`].
    async fn redeliver(
        &self,
        merchant: MerchantId,
        event: EventId,
        now: Timestamp,
    ) -> Result<Redelivery, StoreError>;
}

/// The result of writing an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndpointWrite {
    /// It was written.
    Written,
    /// The merchant's endpoint has another version, or was removed or set.
    Stale,
    /// The merchant has orphaned deliveries.
    OrphanedDeliveries,
}

/// New secrets of an endpoint.
#[derive(Debug, Clone)]
pub struct SecretRotation {
    /// The endpoint as it was read.
    pub read: WebhookEndpoint,
    /// Its new secrets.
    pub secrets: EndpointSecrets,
    /// The idempotency record of the request.
    pub remembered: Option<IdempotencyWrite>,
    /// The audit entry; its time is the time of the change.
    pub audit: AuditEntry,
}

/// A delivery with everything that an attempt needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutgoingDelivery {
    /// The event to deliver.
    pub event: StoredEvent,
    /// Its delivery.
    pub delivery: Delivery,
    /// The merchant's current endpoint, whose URL may differ from the delivery's.
    pub endpoint: Option<WebhookEndpoint>,
}

/// An attempt and its consequences.
#[derive(Debug, Clone)]
pub struct AttemptRecord {
    /// The lease on the delivery.
    pub lease: Lease,
    /// The attempt; `None` if none was made because the endpoint is gone.
    pub attempt: Option<DeliveryAttempt>,
    /// The consequences of the attempt.
    pub after: DeliveryOutcome,
    /// Since when the endpoint had failed, as it was read before; required for disabling it. `None`
    /// disables nothing.
    pub failing_since: Option<Timestamp>,
    /// When the attempt ended.
    pub at: Timestamp,
    /// The audit entry for disabling the endpoint.
    pub audit: Option<AuditEntry>,
}

/// The result of a request to redeliver an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Redelivery {
    /// The event is due.
    Due,
    /// The merchant has no endpoint, or it is disabled.
    NoEndpoint,
    /// There is no such event of this merchant.
    NotFound,
}
