//! Webhook endpoints, events on their way to them, and every attempt.

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

/// How many deliveries are ended together at most: in one short transaction, however many wait.
pub const MAX_ENDED_AT_ONCE: u32 = 500;

/// The store of webhooks out. Deliveries are not made here: the commit that writes an event makes
/// one where the merchant has an enabled endpoint, to its URL [`an_event_has_a_delivery_where_there_is_an_endpoint`].
///
/// With an endpoint that ends, what is on the way to it is ended, too: at most [`MAX_ENDED_AT_ONCE`] at
/// once. The rest is *left over*: pending while its merchant has no endpoint, or a disabled one whose
/// URL is the delivery's. Nobody sends it, [`WebhookRepository::end_orphaned_deliveries`] ends it, and no
/// endpoint is set before it has ended.
#[async_trait]
pub trait WebhookRepository: Send + Sync {
    /// The merchant's endpoint.
    async fn endpoint(&self, merchant: MerchantId) -> Result<Option<WebhookEndpoint>, StoreError>;

    /// Writes the merchant's endpoint: inserted where its version is 1, else in place of the version
    /// just below its own [`endpoints_load_equal`], [`a_stale_endpoint_is_not_written`]. Open
    /// deliveries keep their URL. Nothing is written while the merchant has deliveries left over: the
    /// new endpoint would revive them [`orphaned_deliveries_are_not_revived`].
    async fn set_endpoint(
        &self,
        endpoint: &WebhookEndpoint,
        audit: &AuditEntry,
    ) -> Result<EndpointWrite, StoreError>;

    /// Gives the endpoint this key and counts it as set and working from then on, if it is enabled
    /// and still the version that was read [`a_key_changes_only_the_version_read`]. `false`, and
    /// nothing is written, where it was changed, disabled or removed meanwhile
    /// [`an_endpoint_update_survives_a_key_change`].
    async fn change_key(
        &self,
        read: &WebhookEndpoint,
        key: ApiKeyId,
        audit: &AuditEntry,
    ) -> Result<bool, StoreError>;

    /// Gives the endpoint other secrets, if it is still the version that was read, and remembers the
    /// response that shows the new one, all together [`a_secret_is_rotated_once`]. `false`, and
    /// nothing is written, where it was changed or removed meanwhile. Whether it is disabled or
    /// failing stays as it is. Fails with `IdempotencyKeyTaken` where the idempotency key is taken.
    async fn rotate_secret(&self, rotation: &SecretRotation) -> Result<bool, CommitError>;

    /// Removes the merchant's endpoint, and what is on the way dies with it, at most
    /// [`MAX_ENDED_AT_ONCE`]; `false` where there is none [`removing_an_endpoint_ends_its_deliveries`]. An
    /// attempt that is under way keeps its lease, and is recorded [`an_attempt_is_recorded_after_its_delivery_ends`].
    async fn remove_endpoint(
        &self,
        merchant: MerchantId,
        audit: &AuditEntry,
    ) -> Result<bool, StoreError>;

    /// Ends deliveries that are left over, at most [`MAX_ENDED_AT_ONCE`], of this merchant or of any
    /// one; returns how many. Of one merchant 0 says that nothing is left over
    /// [`orphaned_deliveries_are_ended_in_batches`].
    async fn end_orphaned_deliveries(&self, of: Option<MerchantId>) -> Result<u64, StoreError>;

    /// The merchant's active keys and, where it is in its grace period at `now`, the one that the
    /// endpoint was set with: no more than can make a signature
    /// [`signing_keys_are_those_that_can_sign`].
    async fn signing_keys(
        &self,
        merchant: MerchantId,
        now: Timestamp,
    ) -> Result<Vec<ApiKey>, StoreError>;

    /// One event of this merchant.
    async fn event(
        &self,
        merchant: MerchantId,
        id: EventId,
    ) -> Result<Option<StoredEvent>, StoreError>;

    /// Every attempt to deliver this event, in order.
    async fn attempts(&self, event: EventId) -> Result<Vec<DeliveryAttempt>, StoreError>;

    /// These events with their deliveries and endpoints, in any order; what is not there is left
    /// out. One round trip.
    async fn outgoing(&self, events: &[EventId]) -> Result<Vec<OutgoingDelivery>, StoreError>;

    /// Writes an attempt and all that follows from it together, and gives the lease back. MUST
    /// fail with `LeaseLost`, and write nothing, where the lease does not hold
    /// [`a_lost_lease_cannot_record`].
    ///
    /// The attempt is always kept and counted. The delivery's state, failures and next try change
    /// only where it is still pending, and in the round in which it was read: what was redelivered
    /// meanwhile stays due [`a_redelivery_survives_the_running_attempt`], what has died stays dead
    /// [`an_attempt_is_recorded_after_its_delivery_ends`].
    ///
    /// Changes of the endpoint touch it only while its URL is the delivery's. One that disables it
    /// ends the open deliveries of the merchant's to that URL, at most [`MAX_ENDED_AT_ONCE`]
    /// [`disabling_an_endpoint_ends_its_deliveries`]. For failing it is disabled only where it has
    /// failed since [`AttemptRecord::failing_since`]; else it was set or recovered meanwhile, and nothing
    /// is disabled, ended or audited [`a_recovered_endpoint_is_not_disabled`].
    async fn record(&self, attempt_record: &AttemptRecord) -> Result<(), CommitError>;

    /// Puts an event of this merchant on its way to the merchant's present endpoint, at once and
    /// with all its tries before it, whether or not it was delivered before: the next round begins.
    /// The attempts made so far stay, and one that is under way goes on; whatever comes of it, the
    /// event goes out again after it [`a_redelivery_survives_the_running_attempt`].
    async fn redeliver(
        &self,
        merchant: MerchantId,
        event: EventId,
        now: Timestamp,
    ) -> Result<Redelivery, StoreError>;
}

/// What became of an endpoint that was to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndpointWrite {
    /// It is written.
    Written,
    /// The merchant's endpoint is another version by now, or was removed or set.
    Stale,
    /// The merchant has deliveries left over.
    OrphanedDeliveries,
}

/// New secrets of an endpoint.
#[derive(Debug, Clone)]
pub struct SecretRotation {
    /// The endpoint as it was read.
    pub read: WebhookEndpoint,
    /// Its secrets from now on.
    pub secrets: EndpointSecrets,
    /// The record of the request's idempotency key.
    pub remembered: Option<IdempotencyWrite>,
    /// What the audit log says of it; its time is that of the change.
    pub audit: AuditEntry,
}

/// An event on its way with all that an attempt needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutgoingDelivery {
    /// What is told.
    pub event: StoredEvent,
    /// How far it is.
    pub delivery: Delivery,
    /// The merchant's present endpoint, which may have another URL by now.
    pub endpoint: Option<WebhookEndpoint>,
}

/// An attempt that was made.
#[derive(Debug, Clone)]
pub struct AttemptRecord {
    /// The claim on the delivery.
    pub lease: Lease,
    /// The attempt; `None` where none was made because the endpoint is gone.
    pub attempt: Option<DeliveryAttempt>,
    /// What follows from it.
    pub after: DeliveryOutcome,
    /// Since when the endpoint had failed, as it was read before: by this it is given up. `None`
    /// gives up nothing.
    pub failing_since: Option<Timestamp>,
    /// When it ended.
    pub at: Timestamp,
    /// Where the endpoint is disabled: that this is so.
    pub audit: Option<AuditEntry>,
}

/// What became of a wish to deliver an event again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Redelivery {
    /// It is on its way.
    Due,
    /// The merchant has no endpoint, or it is disabled.
    NoEndpoint,
    /// There is no such event of this merchant.
    NotFound,
}
