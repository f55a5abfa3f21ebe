//! Due work, handed out under leases so that no two workers do the same.

use std::time::Duration;

use async_trait::async_trait;
use oncharge_domain::{
    id::{OperationId, SessionId},
    time::Timestamp,
};

use crate::{error::StoreError, unit_of_work::Lease};

/// Hands out due work. Read first, claim only what is due.
#[async_trait]
pub trait WorkQueue: Send + Sync {
    /// Claims open operations whose `next_try_at` has come and that nobody holds, oldest first;
    /// counts the try. MUST never hand out an item twice while a lease holds
    /// [`no_item_is_leased_twice`]; leases are timed by the store's own clock.
    async fn claim_operations(
        &self,
        now: Timestamp,
        limit: u32,
        lease: Duration,
    ) -> Result<Vec<ClaimedOperation>, StoreError>;

    /// Claims sessions whose deadline (`Session::due_at`) has come and that nobody holds.
    async fn claim_sessions(
        &self,
        now: Timestamp,
        limit: u32,
        lease: Duration,
    ) -> Result<Vec<ClaimedSession>, StoreError>;

    /// Lengthens a lease; `false` where it is lost.
    async fn renew(&self, lease: Lease, length: Duration) -> Result<bool, StoreError>;

    /// Gives an item back: an operation is due again at `next_try_at` (ignored for sessions and
    /// for operations that are final). Does nothing where the lease is lost.
    async fn release(&self, lease: Lease, next_try_at: Timestamp) -> Result<(), StoreError>;

    /// Makes every open operation that nobody holds due at once; for the start of a store that
    /// has no other process, where nothing can be on its way.
    async fn wake_all(&self, now: Timestamp) -> Result<(), StoreError>;

    /// The depth of the queues, for metrics: open operations, and the creation of the oldest.
    async fn depth(&self) -> Result<QueueDepth, StoreError>;
}

/// A claimed operation.
#[derive(Debug, Clone, Copy)]
pub struct ClaimedOperation {
    /// Which.
    pub operation: OperationId,
    /// The claim.
    pub lease: Lease,
    /// How often it was claimed, this time included.
    pub tries: u32,
}

/// A claimed session.
#[derive(Debug, Clone, Copy)]
pub struct ClaimedSession {
    /// Which.
    pub session: SessionId,
    /// The claim.
    pub lease: Lease,
}

/// How much work waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueDepth {
    /// Operations that are not final.
    pub open_operations: u64,
    /// When the oldest of them was created.
    pub oldest: Option<Timestamp>,
}
