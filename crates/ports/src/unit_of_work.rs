//! A unit of work: everything that must become true together, as a value.

use oncharge_domain::{
    audit::AuditEntry,
    id::{EventId, MerchantId, NotificationId, OperationId, SessionId, UnitId},
    idempotency::{IdempotencyKey, RequestFingerprint},
    operation::Operation,
    refund::Refund,
    session::{Event, Session},
    time::Timestamp,
};

use crate::{presenter::StoredResponse, psp::PreparedRequest};

/// What must become true together; all of it or nothing.
#[derive(Debug, Clone)]
pub struct UnitOfWork {
    /// Its id; stored in rows of its own so that `is_committed` can be asked.
    pub id: UnitId,
    /// The session: inserted where its version is 1, else written over the version just below
    /// its own. A stale version fails the whole unit.
    pub session: Session,
    /// Intents, with the bytes that will be sent.
    pub operations: Vec<NewOperation>,
    /// Operations that have changed.
    pub changed_operations: Vec<ChangedOperation>,
    /// A new refund.
    pub refund: Option<Refund>,
    /// Refunds that have changed.
    pub changed_refunds: Vec<Refund>,
    /// What the merchant is told; unique by (session, sequence). Each is put on its way to the
    /// merchant's endpoint in the same commit, where there is one that is enabled.
    pub events: Vec<NewEvent>,
    /// The idempotency record.
    pub key: Option<IdempotencyWrite>,
    /// The PSP's notification that is handled by it; must be waiting still, else the unit fails
    /// with `AlreadyHandled`.
    pub handled: Option<NotificationId>,
    /// The worker's lease that must still hold.
    pub lease: Option<Lease>,
    /// Entries of the audit log.
    pub audit: Vec<AuditEntry>,
}

impl UnitOfWork {
    /// A unit that only writes this session.
    pub fn of(id: UnitId, session: Session) -> Self {
        Self {
            id,
            session,
            operations: Vec::new(),
            changed_operations: Vec::new(),
            refund: None,
            changed_refunds: Vec::new(),
            events: Vec::new(),
            key: None,
            handled: None,
            lease: None,
            audit: Vec::new(),
        }
    }
}

/// An intent: the operation and the request that carries it out.
#[derive(Debug, Clone)]
pub struct NewOperation {
    /// The operation.
    pub operation: Operation,
    /// The bytes to send, kept sealed until the operation is final.
    pub request: PreparedRequest,
    /// When recovery takes it up if nobody has finished it by then.
    pub next_try_at: Timestamp,
    /// The idempotency key of the request that waits for it.
    pub key: Option<IdempotencyScope>,
}

/// An operation that has changed.
#[derive(Debug, Clone)]
pub struct ChangedOperation {
    /// The operation; a final one's request is deleted.
    pub operation: Operation,
    /// When recovery takes it up next; `None` leaves that as it is.
    pub next_try_at: Option<Timestamp>,
}

/// An event with its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvent {
    /// Its id.
    pub id: EventId,
    /// The event.
    pub event: Event,
}

/// Whose idempotency key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IdempotencyScope {
    /// The merchant.
    pub merchant: MerchantId,
    /// The key.
    pub key: IdempotencyKey,
}

/// What happens to an idempotency record.
#[derive(Debug, Clone)]
pub enum IdempotencyWrite {
    /// Takes the key for a request whose operation is still open. Fails with `IdempotencyKeyTaken` where a
    /// record exists, unless that was answered more than 72 hours before `at` and its operation, if
    /// it has one, is no longer open.
    Reserve {
        /// Whose.
        scope: IdempotencyScope,
        /// What the request was.
        fingerprint: RequestFingerprint,
        /// The operation that it waits for.
        operation: OperationId,
        /// The present time.
        at: Timestamp,
    },
    /// Takes the key and remembers the answer at once; fails like `Reserve`.
    ReserveAndComplete {
        /// Whose.
        scope: IdempotencyScope,
        /// What the request was.
        fingerprint: RequestFingerprint,
        /// The answer.
        answer: StoredResponse,
        /// The present time.
        at: Timestamp,
    },
    /// Remembers the answer of a reserved key; where one is remembered already, that stays.
    Complete {
        /// Whose.
        scope: IdempotencyScope,
        /// The answer.
        answer: StoredResponse,
        /// The present time.
        at: Timestamp,
    },
    /// Frees a reserved key: the request may be repeated as if it had never been made.
    Release {
        /// Whose.
        scope: IdempotencyScope,
    },
}

/// An idempotency record as it is read.
#[derive(Debug, Clone)]
pub struct IdempotencyRecord {
    /// What the request was.
    pub fingerprint: RequestFingerprint,
    /// The operation that the request started, if it started one.
    pub operation: Option<OperationId>,
    /// The answer, if it has been given.
    pub answer: Option<StoredResponse>,
    /// When it was given.
    pub answered_at: Option<Timestamp>,
}

/// A worker's claim on one piece of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// What is claimed.
    pub item: LeasedItem,
    /// The claim's token; another claim has another.
    pub token: UnitId,
}

/// What can be claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeasedItem {
    /// An open operation.
    Operation(OperationId),
    /// A session whose deadline has come.
    Session(SessionId),
    /// A notification of a PSP that waits.
    Notification(NotificationId),
    /// An event that is to be delivered.
    Delivery(EventId),
}
