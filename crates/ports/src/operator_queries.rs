//! Read-only queries for operators across all merchants, without secrets.

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

/// The maximum number of rows of each kind in a session history, oldest first.
pub const MAX_ROWS_PER_KIND: u32 = 500;

/// Reads across merchants, for operators only.
///
/// Contact data and the bytes of requests and notifications MUST NOT be opened
/// [`operator_queries_open_no_sealed_values`]: every session is returned with an empty contact.
#[async_trait]
pub trait OperatorQueries: Send + Sync {
    /// Sessions, newest first by (`created_at`, id). MUST find a session by each of its identifiers
    /// [`a_session_is_found_by_each_identifier`], apply every filter [`search_filters_apply`], and
    /// be stable while rows are added [`pages_of_all_merchants_are_stable`].
    async fn find_sessions(
        &self,
        search: &SessionSearch,
        page: Page,
    ) -> Result<Vec<FoundSession>, StoreError>;

    /// Everything that belongs to a session, as of one moment; at most [`MAX_ROWS_PER_KIND`] rows
    /// of each kind [`a_session_history_is_complete`, `a_long_session_history_is_truncated`].
    async fn session_history(
        &self,
        session: SessionId,
    ) -> Result<Option<SessionHistory>, StoreError>;

    /// The number of sessions created at or after `since`, by their status at `now`; counting stops
    /// at about `most` per status. One entry for each status [`sessions_are_counted_by_status`].
    async fn count_sessions(
        &self,
        since: Timestamp,
        now: Timestamp,
        most: u32,
    ) -> Result<Vec<(StatusName, u64)>, StoreError>;
}

/// Filters sessions.
#[derive(Debug, Clone)]
pub struct SessionSearch {
    /// With this identifier.
    pub identifier: Option<SessionIdentifier>,
    /// Of this merchant.
    pub merchant: Option<MerchantId>,
    /// In this status as it is read at `now`: `created` past its expiry counts as `expired`.
    pub status: Option<StatusName>,
    /// Created at or after.
    pub created_after: Option<Timestamp>,
    /// Created before.
    pub created_before: Option<Timestamp>,
    /// The current time, which separates `created` from `expired`.
    pub now: Timestamp,
}

/// An identifier by which a session can be found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionIdentifier {
    /// The session's id.
    Session(SessionId),
    /// Exactly the merchant's reference, the order number, or the PSP's reference of any of the
    /// session's operations.
    Text(String),
}

/// A session found by a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundSession {
    /// The session, without its contact data.
    pub session: Session,
    /// Its merchant's name.
    pub merchant_name: MerchantName,
}

/// Everything that belongs to one session; all lists are in chronological order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionHistory {
    /// The session and its merchant's name.
    pub found: FoundSession,
    /// Which contact data is stored, without its content.
    pub contact: ContactPresence,
    /// Its operations.
    pub operations: Vec<HistoryOperation>,
    /// Its refunds.
    pub refunds: Vec<Refund>,
    /// Its events, in the order of their numbers.
    pub events: Vec<HistoryEvent>,
    /// Notifications that were matched to it.
    pub notifications: Vec<HistoryNotification>,
    /// Its entries of the audit log.
    pub audit: Vec<HistoryAuditEntry>,
    /// Whether any list was cut at [`MAX_ROWS_PER_KIND`].
    pub is_truncated: bool,
}

/// Which contact data is stored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ContactPresence {
    /// Whether an e-mail address is stored.
    pub email: bool,
    /// Whether a phone number is stored.
    pub phone: bool,
}

/// An operation with its queue state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryOperation {
    /// The operation.
    pub operation: Operation,
    /// How often a worker has claimed it.
    pub tries: u32,
    /// When recovery takes it up next; `None` once it is final.
    pub next_try_at: Option<Timestamp>,
}

/// An event with its delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryEvent {
    /// The event.
    pub stored: StoredEvent,
    /// `None` if there was no endpoint to send it to, or if the delivery ended 90 days ago.
    pub delivery: Option<HistoryDelivery>,
}

/// A delivery with its attempts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryDelivery {
    /// The delivery.
    pub delivery: Delivery,
    /// When the next attempt is due; `None` once the delivery has ended.
    pub next_try_at: Option<Timestamp>,
    /// Every attempt, in order.
    pub attempts: Vec<DeliveryAttempt>,
}

/// A notification without its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryNotification {
    /// Its id.
    pub id: NotificationId,
    /// The account at whose notification endpoint it arrived.
    pub account: PspAccount,
    /// The PSP's own id of it; `None` if it was not verified.
    pub event_key: Option<String>,
    /// Its processing status.
    pub status: NotificationStatus,
    /// When it was received.
    pub received_at: Timestamp,
    /// How often a worker has claimed it.
    pub tries: u32,
}

/// An entry of the audit log, its action as text, since old entries may have actions that no longer
/// exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryAuditEntry {
    /// When it happened.
    pub at: Timestamp,
    /// What happened ([`oncharge_domain::audit::AuditAction::name`]).
    pub action: String,
    /// The operation, if any.
    pub operation: Option<OperationId>,
    /// A short text for people.
    pub detail: String,
}
