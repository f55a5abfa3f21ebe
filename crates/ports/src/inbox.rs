//! The inbox: notifications of PSPs, stored before they are processed.

use async_trait::async_trait;
use oncharge_domain::{
    audit::AuditEntry,
    id::{NotificationId, OperationId, SessionId},
    psp::PspAccount,
    time::Timestamp,
};

use strum::{EnumString, IntoStaticStr, VariantArray};

use crate::{
    error::{CommitError, StoreError},
    unit_of_work::Lease,
};

/// The store of PSP notifications, whose bytes are sealed.
#[async_trait]
pub trait Inbox: Send + Sync {
    /// Stores a notification; returns `false` and writes nothing if one with the same account and
    /// event key exists. One round trip [`a_notification_is_stored_once`].
    async fn receive(&self, new: &NewNotification) -> Result<bool, StoreError>;

    /// The stored notification [`notifications_load_equal`].
    async fn notification(
        &self,
        id: NotificationId,
    ) -> Result<Option<StoredNotification>, StoreError>;

    /// Closes a notification that changes nothing: writes its final status, its operation and
    /// session and the audit entry in one commit, and releases the lease. MUST fail with
    /// `LeaseLost`, and write nothing, if the lease does not hold
    /// [`a_lost_lease_cannot_close_a_notification`].
    async fn close(&self, outcome: &NotificationOutcome) -> Result<(), CommitError>;

    /// Removes a notification from the list of stuck work; `false` if it is not on it.
    async fn dismiss(&self, id: NotificationId, audit: &AuditEntry) -> Result<bool, StoreError>;

    /// Removes notifications from the list of stuck work, oldest first and at most `limit`; returns
    /// how many. Writes one audit entry in the same transaction, its detail prefixed with their
    /// number; none if no notification was removed [`many_notifications_are_dismissed_at_once`].
    async fn dismiss_all(
        &self,
        stuck: &StuckNotificationFilter,
        limit: u32,
        audit: &AuditEntry,
    ) -> Result<u64, StoreError>;
}

/// A notification as it was received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewNotification {
    /// Its id.
    pub id: NotificationId,
    /// The account at whose notification endpoint it arrived.
    pub account: PspAccount,
    /// The PSP's own id of it, used for deduplication, if its signature is valid; `None` for one
    /// that is stored only as evidence (`Unverified`) and never processed.
    pub event_key: Option<String>,
    /// The raw bytes, for the connector to parse.
    pub body: Vec<u8>,
    /// When it was received.
    pub received_at: Timestamp,
}

/// Selects notifications that are listed as stuck.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StuckNotificationFilter {
    /// With this status; only `Mismatched`, `Unmatched` and `Malformed` are stuck.
    pub status: NotificationStatus,
    /// Of this account.
    pub account: Option<PspAccount>,
    /// Received before this time.
    pub received_before: Timestamp,
}

/// A stored notification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredNotification {
    /// The notification as it was received.
    pub new: NewNotification,
    /// Its processing status.
    pub status: NotificationStatus,
}

/// The processing status of a notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum NotificationStatus {
    /// Waiting to be applied.
    Waiting,
    /// Applied, or its content was already known.
    Handled,
    /// Does not concern OnCharge.
    Irrelevant,
    /// Does not match the operation that it names. Listed as stuck.
    Mismatched,
    /// The operation that it names did not appear within the retention time. Listed as stuck.
    Unmatched,
    /// Its signature is valid, but it cannot be parsed. Listed as stuck.
    Malformed,
    /// Its signature is missing or invalid.
    Unverified,
    /// An operator dismissed it from the list of stuck work.
    Dismissed,
}

impl NotificationStatus {
    /// All statuses.
    pub const ALL: &'static [Self] = Self::VARIANTS;

    /// The name in the store.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// Whether it needs a person.
    pub fn is_stuck(self) -> bool {
        matches!(self, Self::Mismatched | Self::Unmatched | Self::Malformed)
    }
}

/// The final state of a notification that changes nothing.
#[derive(Debug, Clone)]
pub struct NotificationOutcome {
    /// The lease on the notification, which identifies it.
    pub lease: Lease,
    /// The final status; never `Waiting`.
    pub status: NotificationStatus,
    /// The operation that it names, if any.
    pub operation: Option<OperationId>,
    /// That operation's session.
    pub session: Option<SessionId>,
    /// The audit entry, if any.
    pub audit: Option<AuditEntry>,
}
