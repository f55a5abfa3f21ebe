//! Due work, handed out under leases so that no two workers do the same.

use std::time::Duration;

use async_trait::async_trait;
use oncharge_domain::{
    audit::AuditEntry,
    id::{EventId, MerchantId, NotificationId, OperationId, SessionId},
    psp::PspAccount,
    time::Timestamp,
};

use crate::{error::StoreError, unit_of_work::Lease};

/// Hands out due work. Read first, claim only what is due.
///
/// Due times and leases are both judged by the store's own clock, [`WorkQueue::now`], so that
/// processes whose clocks differ agree on them [`claims_use_the_store_clock`].
#[async_trait]
pub trait WorkQueue: Send + Sync {
    /// The present time by the store's clock.
    async fn now(&self) -> Result<Timestamp, StoreError>;

    /// Claims open operations whose `next_try_at` has come and that nobody holds, oldest first;
    /// counts the try. MUST never hand out an item twice while a lease holds
    /// [`no_item_is_leased_twice`]. MUST leave out the accounts that are busy, so that one whose
    /// PSP hangs does not stand before the others [`busy_accounts_are_excluded`].
    async fn claim_operations(
        &self,
        filter: &ClaimFilter,
        lease: Duration,
    ) -> Result<Vec<ClaimedOperation>, StoreError>;

    /// Claims sessions whose deadline (`Session::due_at`) has come and that nobody holds, oldest
    /// first and none of the accounts that are busy [`busy_accounts_are_excluded`].
    async fn claim_sessions(
        &self,
        filter: &ClaimFilter,
        lease: Duration,
    ) -> Result<Vec<ClaimedSession>, StoreError>;

    /// Claims notifications that wait, whose time has come and that nobody holds, oldest first and
    /// none of the accounts that are busy [`busy_accounts_are_excluded`]; counts the try.
    async fn claim_notifications(
        &self,
        filter: &ClaimFilter,
        lease: Duration,
    ) -> Result<Vec<ClaimedNotification>, StoreError>;

    /// Claims pending deliveries whose time has come and that nobody holds: at most `per_merchant` of any
    /// one merchant, none of those in `busy`, so that one merchant's many do not stand before
    /// everybody else's few. A session's first attempts MUST be handed out in the order of their
    /// sequence, each only once the one before is recorded
    /// [`first_attempts_go_out_in_order`].
    async fn claim_deliveries(
        &self,
        filter: &DeliveryClaimFilter,
        lease: Duration,
    ) -> Result<Vec<ClaimedDelivery>, StoreError>;

    /// Lengthens a lease; `false` where it is lost.
    async fn renew(&self, lease: Lease, length: Duration) -> Result<bool, StoreError>;

    /// Gives an item back: it is due again at `next_try_at` (ignored for sessions, and for what is
    /// over). Does nothing where the lease is lost.
    async fn release(&self, lease: Lease, next_try_at: Timestamp) -> Result<(), StoreError>;

    /// Makes every open operation that nobody holds due at once; for the start of a store that
    /// has no other process, where nothing can be on its way.
    async fn make_all_due(&self, now: Timestamp) -> Result<(), StoreError>;

    /// How much waits in each queue, for metrics; one entry for each of [`QueueName::ALL`].
    async fn depths(&self, now: Timestamp) -> Result<Vec<QueueDepth>, StoreError>;

    /// Takes an operation that the PSP contradicts off the list of stuck work, with an entry in the
    /// audit log; `false` where it is not on it. It MUST NOT come back when the PSP repeats itself
    /// [`contradictions_are_stuck_until_they_are_dismissed`].
    async fn dismiss_contradiction(
        &self,
        operation: OperationId,
        audit: &AuditEntry,
    ) -> Result<bool, StoreError>;

    /// Work that a person should look at, oldest first: what is over its budget at `now`, and what
    /// no worker can end (see [`StuckKind`]).
    async fn stuck(&self, now: Timestamp, limit: u32) -> Result<Vec<StuckItem>, StoreError>;
}

/// A PSP account as queues know it: only to tell one from another, so that an item is handed out
/// whatever stands there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountName(String);

impl AccountName {
    /// Of this account.
    pub fn of(account: &PspAccount) -> Self {
        Self(format!("{}/{}", account.connector(), account.account()))
    }

    /// As a store keeps it: `connector/account`.
    pub fn from_text(text: String) -> Self {
        Self(text)
    }

    /// `connector/account`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Which items that go to PSP accounts a worker can take.
#[derive(Debug, Clone)]
pub struct ClaimFilter {
    /// How many at most.
    pub limit: u32,
    /// Accounts to leave out: the worker has its hands full of them, or their PSP is away.
    pub busy: Vec<AccountName>,
}

impl ClaimFilter {
    /// So many at most, of whatever account.
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
    /// Which.
    pub operation: OperationId,
    /// Of which account.
    pub account: AccountName,
    /// The claim.
    pub lease: Lease,
    /// How often it was claimed, this time included.
    pub tries: u32,
}

/// A claimed session.
#[derive(Debug, Clone)]
pub struct ClaimedSession {
    /// Which.
    pub session: SessionId,
    /// Its deadline, which has come by the store's clock.
    pub due_at: Timestamp,
    /// Of which account.
    pub account: AccountName,
    /// The claim.
    pub lease: Lease,
}

/// A claimed notification.
#[derive(Debug, Clone)]
pub struct ClaimedNotification {
    /// Which.
    pub notification: NotificationId,
    /// Of which account.
    pub account: AccountName,
    /// The claim.
    pub lease: Lease,
    /// How often it was claimed, this time included.
    pub tries: u32,
}

/// Which deliveries a worker can take.
#[derive(Debug, Clone)]
pub struct DeliveryClaimFilter {
    /// How many at most.
    pub limit: u32,
    /// How many at most of one merchant.
    pub per_merchant: u32,
    /// Merchants whose endpoints have their hands full.
    pub busy: Vec<MerchantId>,
}

/// A claimed delivery.
#[derive(Debug, Clone, Copy)]
pub struct ClaimedDelivery {
    /// Of which event.
    pub event: EventId,
    /// Of which merchant.
    pub merchant: MerchantId,
    /// The claim.
    pub lease: Lease,
}

/// A queue of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum QueueName {
    /// Operations that are not final.
    Operations,
    /// Sessions whose deadline has come.
    Deadlines,
    /// Notifications that wait.
    Inbox,
    /// Deliveries that are pending.
    Deliveries,
}

impl QueueName {
    /// All of them.
    pub const ALL: &'static [Self] = &[
        Self::Operations,
        Self::Deadlines,
        Self::Inbox,
        Self::Deliveries,
    ];

    /// The name in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Operations => "operations",
            Self::Deadlines => "deadlines",
            Self::Inbox => "inbox",
            Self::Deliveries => "deliveries",
        }
    }
}

/// How much waits in a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueDepth {
    /// Which queue.
    pub queue: QueueName,
    /// How many items.
    pub depth: u64,
    /// Since when the oldest waits: an operation's creation, a deadline, a notification's arrival,
    /// an event's creation.
    pub oldest: Option<Timestamp>,
}

/// Why something is listed as stuck.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StuckKind {
    /// An operation is open for longer than [`StuckKind::budget_seconds`], a compensation apart.
    Operation,
    /// An operation that the PSP has accepted is open for longer than its budget.
    Accepted,
    /// Money is on its way back that no session waits for: listed as long as it is not back.
    Compensation,
    /// A refund was paid out of a capture that has failed since: listed for good.
    RefundOfFailedCapture,
    /// The PSP reports an operation as done that has failed here: listed until it is dismissed.
    Contradiction,
    /// A session's deadline is over by more than its budget, and no worker has met it, though one
    /// may be trying at this moment.
    Deadline,
    /// A notification is mismatched, unmatched or malformed: listed until it is dismissed.
    Notification,
    /// A notification waits for longer than its budget.
    Waiting,
    /// A delivery's time has come longer ago than its budget, or it has never been tried in all
    /// that time though it is its turn: no worker runs, or none can write down what it does, or
    /// the merchant has no key to sign with.
    Delivery,
    /// Every attempt to deliver to an endpoint has failed for longer than its budget; not one that is
    /// disabled, to which nothing is sent any more.
    Endpoint,
}

impl StuckKind {
    /// All of them.
    pub const ALL: &'static [Self] = &[
        Self::Operation,
        Self::Accepted,
        Self::Compensation,
        Self::RefundOfFailedCapture,
        Self::Contradiction,
        Self::Deadline,
        Self::Notification,
        Self::Waiting,
        Self::Delivery,
        Self::Endpoint,
    ];

    /// The name in metrics and lists.
    pub fn name(self) -> &'static str {
        match self {
            Self::Operation => "operation",
            Self::Accepted => "accepted_operation",
            Self::Compensation => "compensation",
            Self::RefundOfFailedCapture => "refund_of_failed_capture",
            Self::Contradiction => "contradiction",
            Self::Deadline => "deadline",
            Self::Notification => "notification",
            Self::Waiting => "waiting_notification",
            Self::Delivery => "delivery",
            Self::Endpoint => "failing_endpoint",
        }
    }

    /// How long such work may take before it counts as stuck, in seconds: a quarter of an hour for
    /// an operation, three days for one that the PSP has accepted, five minutes for what needs
    /// nothing but a worker, an hour for an endpoint that only fails; 0 for what only a person can
    /// end.
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

/// Something that is stuck.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StuckItem {
    /// Why.
    pub kind: StuckKind,
    /// Its id as text: of the operation, refund, session, notification, event or endpoint.
    pub id: String,
    /// The session, where there is one.
    pub session: Option<SessionId>,
    /// The merchant, where that is known.
    pub merchant: Option<MerchantId>,
    /// Since when it waits, as for [`QueueDepth::oldest`].
    pub since: Timestamp,
    /// What more there is to say: an operation's kind, a notification's status.
    pub detail: String,
}
