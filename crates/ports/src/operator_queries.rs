//! Operator queries: what operators see of all merchants' sessions. Reading only, and nothing that is secret.

use async_trait::async_trait;
use oncharge_domain::{
    id::{MerchantId, NotificationId, OperationId, SessionId},
    operation::Operation,
    psp::PspAccount,
    refund::Refund,
    session::{Session, StatusName},
    text::MerchantName,
    time::Timestamp,
    webhook::{Delivery, DeliveryAttempt},
};

use crate::{
    error::StoreError,
    inbox::NotificationStatus,
    queries::{Page, StoredEvent},
};

/// How many rows of each kind a story holds at most, the oldest ones.
pub const MAX_ROWS_PER_KIND: u32 = 500;

/// Reads across merchants, for operators alone.
///
/// Contact data and the bytes of requests and notifications MUST NOT be opened
/// [`operator_queries_open_no_sealed_values`]: every session comes with an empty contact.
#[async_trait]
pub trait OperatorQueries: Send + Sync {
    /// Sessions, newest first by (`created_at`, id). MUST find a session by each of its names
    /// [`a_session_is_found_by_each_identifier`], keep to every filter
    /// [`search_filters_apply`], and be stable while rows are added
    /// [`pages_of_all_merchants_are_stable`].
    async fn find_sessions(
        &self,
        search: &SessionSearch,
        page: Page,
    ) -> Result<Vec<FoundSession>, StoreError>;

    /// All that belongs to a session, as it was at one moment; at most [`MAX_ROWS_PER_KIND`] rows of
    /// each kind [`a_session_history_is_complete`, `a_long_session_history_is_truncated`].
    async fn session_history(
        &self,
        session: SessionId,
    ) -> Result<Option<SessionHistory>, StoreError>;

    /// How many sessions were created at or after `since`, by their status as it is read at `now`;
    /// of each status no more than about `most` are counted. One entry for each status
    /// [`sessions_are_counted_by_status`].
    async fn count_sessions(
        &self,
        since: Timestamp,
        now: Timestamp,
        most: u32,
    ) -> Result<Vec<(StatusName, u64)>, StoreError>;
}

/// Which sessions.
#[derive(Debug, Clone)]
pub struct SessionSearch {
    /// With this name.
    pub identifier: Option<SessionIdentifier>,
    /// Of this merchant.
    pub merchant: Option<MerchantId>,
    /// In this status as it is read at `now`: `created` past its expiry counts as `expired`.
    pub status: Option<StatusName>,
    /// Created at or after.
    pub created_after: Option<Timestamp>,
    /// Created before.
    pub created_before: Option<Timestamp>,
    /// The present time, by which `created` and `expired` are told apart.
    pub now: Timestamp,
}

/// What a session is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionIdentifier {
    /// By its id.
    Session(SessionId),
    /// By exactly this text: the merchant's reference, the order's number, or the PSP's reference
    /// of any of its operations.
    Text(String),
}

/// A session that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundSession {
    /// The session, its contact data left out.
    pub session: Session,
    /// Its merchant's name.
    pub merchant_name: MerchantName,
}

/// All that belongs to one session; every list is in the order of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionHistory {
    /// The session and its merchant's name.
    pub found: FoundSession,
    /// Which contact data is kept for it, and nothing of what it is.
    pub contact: ContactPresence,
    /// Its operations.
    pub operations: Vec<HistoryOperation>,
    /// Its refunds.
    pub refunds: Vec<Refund>,
    /// Its events, by their numbers.
    pub events: Vec<HistoryEvent>,
    /// Notifications that were found to be about it.
    pub notifications: Vec<HistoryNotification>,
    /// What the audit log says of it.
    pub audit: Vec<HistoryAuditEntry>,
    /// Whether there is more of something than [`MAX_ROWS_PER_KIND`].
    pub is_truncated: bool,
}

/// Which contact data is kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ContactPresence {
    /// An e-mail address.
    pub email: bool,
    /// A phone number.
    pub phone: bool,
}

/// An operation with what only the queue knows of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryOperation {
    /// The operation.
    pub operation: Operation,
    /// How often a worker has claimed it.
    pub tries: u32,
    /// When recovery takes it up next; `None` once it is final.
    pub next_try_at: Option<Timestamp>,
}

/// An event and its way to the merchant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryEvent {
    /// The event.
    pub stored: StoredEvent,
    /// `None` where there was no endpoint to send it to, or where it ended 90 days ago.
    pub delivery: Option<HistoryDelivery>,
}

/// A delivery with what was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryDelivery {
    /// How far it is.
    pub delivery: Delivery,
    /// When it is tried next; `None` once it is over.
    pub next_try_at: Option<Timestamp>,
    /// Every attempt, in order.
    pub attempts: Vec<DeliveryAttempt>,
}

/// A notification, its bytes left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryNotification {
    /// Its id.
    pub id: NotificationId,
    /// The account whose door it came in by.
    pub account: PspAccount,
    /// The PSP's own id of it; `None` for one that was not verified.
    pub event_key: Option<String>,
    /// How far it is.
    pub status: NotificationStatus,
    /// When it came.
    pub received_at: Timestamp,
    /// How often a worker has claimed it.
    pub tries: u32,
}

/// An entry of the audit log; its action as the log writes it, since old logs may know others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryAuditEntry {
    /// When it happened.
    pub at: Timestamp,
    /// What happened ([`oncharge_domain::audit::AuditAction::name`]).
    pub action: String,
    /// The operation, where there is one.
    pub operation: Option<OperationId>,
    /// A short text for people.
    pub detail: String,
}
