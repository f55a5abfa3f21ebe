//! The inbox: what PSPs have told, kept before anything is done about it.

use async_trait::async_trait;
use oncharge_domain::{
    audit::AuditEntry,
    id::{NotificationId, OperationId, SessionId},
    psp::PspAccount,
    time::Timestamp,
};

use crate::{
    error::{CommitError, StoreError},
    unit_of_work::Lease,
};

/// Keeps what PSPs tell. A notification's bytes are kept sealed.
#[async_trait]
pub trait Inbox: Send + Sync {
    /// Keeps a notification; `false`, and nothing written, where one with the same account and
    /// event key is there already. One round trip [`a_notification_is_stored_once`].
    async fn receive(&self, new: &NewNotification) -> Result<bool, StoreError>;

    /// The notification [`notifications_load_equal`].
    async fn notification(
        &self,
        id: NotificationId,
    ) -> Result<Option<StoredNotification>, StoreError>;

    /// Ends a notification that changes nothing: writes its verdict, what it is about and the
    /// audit entry together, and gives the lease back. MUST fail with `LeaseLost`, and write
    /// nothing, where the lease does not hold [`a_lost_lease_cannot_close_a_notification`].
    async fn close(&self, outcome: &NotificationOutcome) -> Result<(), CommitError>;

    /// Takes a notification off the list of stuck work; `false` where it is not on it.
    async fn dismiss(&self, id: NotificationId, audit: &AuditEntry) -> Result<bool, StoreError>;

    /// Takes notifications off the list of stuck work, the oldest first and at most `limit`; returns
    /// how many. One entry of the audit log is written with them, its detail begun with their number;
    /// none where there are none [`many_notifications_are_dismissed_at_once`].
    async fn dismiss_all(
        &self,
        stuck: &StuckNotificationFilter,
        limit: u32,
        audit: &AuditEntry,
    ) -> Result<u64, StoreError>;
}

/// A notification as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewNotification {
    /// Its id.
    pub id: NotificationId,
    /// The account whose door it came in by.
    pub account: PspAccount,
    /// The PSP's own id of it, by which duplicates are told, where its signature was right; `None`
    /// for one that is only kept as evidence (`Unverified`) and never processed.
    pub event_key: Option<String>,
    /// Its bytes, as the connector reads them.
    pub body: Vec<u8>,
    /// When it came.
    pub received_at: Timestamp,
}

/// Which of the notifications that are listed as stuck.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StuckNotificationFilter {
    /// With this status; none is stuck with another than `Mismatched`, `Unmatched` or `Malformed`.
    pub status: NotificationStatus,
    /// Of this account.
    pub account: Option<PspAccount>,
    /// That came before this time.
    pub received_before: Timestamp,
}

/// A notification as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredNotification {
    /// As it came.
    pub new: NewNotification,
    /// How far it is.
    pub status: NotificationStatus,
}

/// How far a notification is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotificationStatus {
    /// It waits to be applied.
    Waiting,
    /// What it says is applied, or was known already.
    Handled,
    /// It is nothing that concerns us.
    Irrelevant,
    /// It does not agree with the operation that it names. Listed as stuck.
    Mismatched,
    /// The operation that it names has not appeared in all the time it was kept for. Listed as stuck.
    Unmatched,
    /// Its signature is right, but it cannot be read. Listed as stuck.
    Malformed,
    /// Its signature is missing or wrong.
    Unverified,
    /// It was listed as stuck, and a person has looked at it.
    Dismissed,
}

impl NotificationStatus {
    /// All of them.
    pub const ALL: &'static [Self] = &[
        Self::Waiting,
        Self::Handled,
        Self::Irrelevant,
        Self::Mismatched,
        Self::Unmatched,
        Self::Malformed,
        Self::Unverified,
        Self::Dismissed,
    ];

    /// The name in the store.
    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Handled => "handled",
            Self::Irrelevant => "irrelevant",
            Self::Mismatched => "mismatched",
            Self::Unmatched => "unmatched",
            Self::Malformed => "malformed",
            Self::Unverified => "unverified",
            Self::Dismissed => "dismissed",
        }
    }

    /// Reads what [`NotificationStatus::name`] writes.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|status| status.name() == name)
    }

    /// Whether a person has to look at it.
    pub fn is_stuck(self) -> bool {
        matches!(self, Self::Mismatched | Self::Unmatched | Self::Malformed)
    }
}

/// The end of a notification that changes nothing.
#[derive(Debug, Clone)]
pub struct NotificationOutcome {
    /// The claim on it; names it.
    pub lease: Lease,
    /// What it has come to; never `Waiting`.
    pub status: NotificationStatus,
    /// The operation that it names, where there is one.
    pub operation: Option<OperationId>,
    /// That operation's session.
    pub session: Option<SessionId>,
    /// What the audit log says of it.
    pub audit: Option<AuditEntry>,
}
