//! Queues of due work, claimed under leases so that no two workers process the same item.

use std::time::Duration;

use async_trait::async_trait;
use oncharge_domain::{
    audit::AuditEntry,
    id::{EventId, MerchantId, NotificationId, OperationId, SessionId},
    psp::PspAccount,
    time::Timestamp,
};

use strum::{IntoStaticStr, VariantArray};

use crate::{error::StoreError, unit_of_work::Lease};

/// Leases due work to workers. Reads first and claims only what is due.
///
/// Due times and leases are both judged by the store's clock, [`WorkQueue::now`], so that processes
/// whose clocks differ agree on them [`claims_use_the_store_clock`].
#[async_trait]
pub trait WorkQueue: Send + Sync {
    /// The current time by the store's clock.
    async fn now(&self) -> Result<Timestamp, StoreError>;

    /// Claims open operations whose `next_try_at` has passed and that are not leased, oldest first;
    /// counts the try. MUST never hand out an item twice while a lease holds
    /// [`no_item_is_leased_twice`]. MUST leave out the busy accounts, so that an account whose PSP
    /// hangs does not block the others [`busy_accounts_are_excluded`].
    async fn claim_operations(
        &self,
        filter: &ClaimFilter,
        lease: Duration,
    ) -> Result<Vec<ClaimedOperation>, StoreError>;

    /// Claims unleased sessions whose deadline (`Session::due_at`) has passed, oldest first,
    /// leaving out the busy accounts [`busy_accounts_are_excluded`].
    async fn claim_sessions(
        &self,
        filter: &ClaimFilter,
        lease: Duration,
    ) -> Result<Vec<ClaimedSession>, StoreError>;

    /// Claims unleased waiting notifications that are due, oldest first, leaving out the busy
    /// accounts [`busy_accounts_are_excluded`]; counts the try.
    async fn claim_notifications(
        &self,
        filter: &ClaimFilter,
        lease: Duration,
    ) -> Result<Vec<ClaimedNotification>, StoreError>;

    /// Claims unleased pending deliveries that are due: at most `per_merchant` of any one merchant
    /// and none of those in `busy`, so that a merchant with many deliveries does not block the
    /// others. A session's first attempts MUST be handed out in the order of their sequence, each
    /// only once the previous one is recorded [`first_attempts_go_out_in_order`].
    async fn claim_deliveries(
        &self,
        filter: &DeliveryClaimFilter,
        lease: Duration,
    ) -> Result<Vec<ClaimedDelivery>, StoreError>;

    /// Extends a lease; `false` if it is lost.
    async fn renew(&self, lease: Lease, length: Duration) -> Result<bool, StoreError>;

    /// Releases an item, which is due again at `next_try_at` (ignored for sessions and for finished
    /// items). Does nothing if the lease is lost.
    async fn release(&self, lease: Lease, next_try_at: Timestamp) -> Result<(), StoreError>;

    /// Makes every open operation that is not leased due at once; for the start of a store that no
    /// other process uses, where no request can be in flight.
    async fn make_all_due(&self, now: Timestamp) -> Result<(), StoreError>;

    /// The depth of each queue, for metrics; one entry for each of [`QueueName::ALL`].
    async fn depths(&self, now: Timestamp) -> Result<Vec<QueueDepth>, StoreError>;

    /// Removes an operation that the PSP contradicts from the list of stuck work and writes an
    /// audit entry; `false` if it is not on the list. It MUST NOT reappear when the PSP repeats the
    /// contradiction [`contradictions_are_stuck_until_they_are_dismissed`].
    async fn dismiss_contradiction(
        &self,
        operation: OperationId,
        audit: &AuditEntry,
    ) -> Result<bool, StoreError>;

    /// Work that a person should look at, oldest first: items that exceed their budget at `now`,
    /// and items that no worker can finish (see [`StuckKind`]).
    async fn stuck(&self, now: Timestamp, limit: u32) -> Result<Vec<StuckItem>, StoreError>;
}

/// A PSP account as a queue key: compared only, never parsed, so that an item is handed out
/// whatever text is stored.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountName(String);

impl AccountName {
    /// The name of this account.
    pub fn of(account: &PspAccount) -> Self {
        Self(format!("{}/{}", account.connector(), account.account()))
    }

    /// Wraps the stored form, `connector/account`.
    pub fn from_text(text: String) -> Self {
        Self(text)
    }

    /// `connector/account`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Limits which items for PSP accounts a worker claims.
#[derive(Debug, Clone)]
pub struct ClaimFilter {
    /// The maximum number of items.
    pub limit: u32,
    /// Accounts to leave out: they are at the worker's concurrency limit, or their PSP is
    /// unavailable.
    pub busy: Vec<AccountName>,
}

impl ClaimFilter {
    /// At most `limit` items of any account.
    pub fn up_to(limit: u32) -> Self {
        Self {
            limit,
            busy: Vec::new(),
        }
    }
}

/// A claimed operation.
#[derive(Debug, Clone)]
pub struct ClaimedOperation {
    /// The operation.
    pub operation: OperationId,
    /// Its PSP account.
    pub account: AccountName,
    /// The lease.
    pub lease: Lease,
    /// How often it was claimed, including this time.
    pub tries: u32,
}

/// A claimed session.
#[derive(Debug, Clone)]
pub struct ClaimedSession {
    /// The session.
    pub session: SessionId,
    /// Its deadline, which has passed by the store's clock.
    pub due_at: Timestamp,
    /// Its PSP account.
    pub account: AccountName,
    /// The lease.
    pub lease: Lease,
}

/// A claimed notification.
#[derive(Debug, Clone)]
pub struct ClaimedNotification {
    /// The notification.
    pub notification: NotificationId,
    /// Its PSP account.
    pub account: AccountName,
    /// The lease.
    pub lease: Lease,
    /// How often it was claimed, including this time.
    pub tries: u32,
}

/// Limits which deliveries a worker claims.
#[derive(Debug, Clone)]
pub struct DeliveryClaimFilter {
    /// The maximum number of deliveries.
    pub limit: u32,
    /// The maximum number of deliveries of one merchant.
    pub per_merchant: u32,
    /// Merchants whose endpoints are at their concurrency limit.
    pub busy: Vec<MerchantId>,
}

/// A claimed delivery.
#[derive(Debug, Clone, Copy)]
pub struct ClaimedDelivery {
    /// The event to deliver.
    pub event: EventId,
    /// The event's merchant.
    pub merchant: MerchantId,
    /// The lease.
    pub lease: Lease,
}

/// A work queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum QueueName {
    /// Operations that are not final.
    Operations,
    /// Sessions whose deadline has passed.
    Deadlines,
    /// Notifications that wait to be applied.
    Inbox,
    /// Pending deliveries.
    Deliveries,
}

impl QueueName {
    /// All queues.
    pub const ALL: &'static [Self] = Self::VARIANTS;

    /// The name in metrics.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// The depth of a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueDepth {
    /// The queue.
    pub queue: QueueName,
    /// The number of items.
    pub depth: u64,
    /// Since when the oldest item waits: an operation's creation, a deadline, a notification's
    /// receipt, an event's creation.
    pub oldest: Option<Timestamp>,
}

/// Why something is listed as stuck.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum StuckKind {
    /// An operation other than a compensation has been open for longer than
    /// [`StuckKind::budget_seconds`].
    Operation,
    /// An operation that the PSP has accepted has been open for longer than its budget.
    #[strum(serialize = "accepted_operation")]
    Accepted,
    /// A compensation is open: listed until the money is returned.
    Compensation,
    /// A refund was paid out of a capture that has since failed: listed permanently.
    RefundOfFailedCapture,
    /// The PSP reports an operation as done that failed in OnCharge: listed until it is dismissed.
    Contradiction,
    /// A session's deadline has passed by more than its budget and was not applied, though a worker
    /// may be trying at this moment.
    Deadline,
    /// A notification is mismatched, unmatched or malformed: listed until it is dismissed.
    Notification,
    /// A notification has waited for longer than its budget.
    #[strum(serialize = "waiting_notification")]
    Waiting,
    /// A delivery is overdue by more than its budget, or is next in its session and has not been
    /// attempted for that long: no worker runs, none can record its result, or the merchant has no
    /// key to sign with.
    Delivery,
    /// Every attempt to deliver to an enabled endpoint has failed for longer than its budget.
    #[strum(serialize = "failing_endpoint")]
    Endpoint,
}

impl StuckKind {
    /// All kinds.
    pub const ALL: &'static [Self] = Self::VARIANTS;

    /// The name in metrics and lists.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// How long such work may take before it counts as stuck, in seconds: 15 minutes for an
    /// operation, three days for one that the PSP has accepted, five minutes for work that only
    /// needs a worker, an hour for a failing endpoint; 0 for what only a person can resolve.
    pub fn budget_seconds(self) -> i64 {
        match self {
            Self::Operation => 900,
            Self::Accepted => 3 * 86_400,
            Self::Deadline | Self::Waiting | Self::Delivery => 300,
            Self::Endpoint => 3600,
            Self::Compensation
            | Self::RefundOfFailedCapture
            | Self::Contradiction
            | Self::Notification => 0,
        }
    }
}

/// An item that is stuck.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StuckItem {
    /// Why.
    pub kind: StuckKind,
    /// Its id as text: of the operation, refund, session, notification, event or endpoint.
    pub id: String,
    /// The session, if any.
    pub session: Option<SessionId>,
    /// The merchant, if known.
    pub merchant: Option<MerchantId>,
    /// Since when it waits, as for [`QueueDepth::oldest`].
    pub since: Timestamp,
    /// Further details: an operation's kind, a notification's status.
    pub detail: String,
}
