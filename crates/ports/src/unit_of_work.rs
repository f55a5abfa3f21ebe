//! A unit of work: everything that one commit writes together, as a value.

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

/// Everything that one commit writes, all or nothing.
#[derive(Debug, Clone)]
pub struct UnitOfWork {
    /// Its id, stored in rows of its own so that `is_committed` can look it up.
    pub id: UnitId,
    /// The session: inserted if its version is 1, otherwise written over the preceding version. A
    /// stale version fails the whole unit.
    pub session: Session,
    /// Intents: new operations with the bytes that will be sent.
    pub operations: Vec<NewOperation>,
    /// Operations that changed.
    pub changed_operations: Vec<ChangedOperation>,
    /// A new refund.
    pub refund: Option<Refund>,
    /// Refunds that changed.
    pub changed_refunds: Vec<Refund>,
    /// Events for the merchant, unique by (session, sequence). The same commit enqueues a delivery
    /// of each to the merchant's endpoint, if that is enabled.
    pub events: Vec<NewEvent>,
    /// The idempotency record.
    pub key: Option<IdempotencyWrite>,
    /// The PSP notification that this unit handles; it must still be waiting, otherwise the unit
    /// fails with `AlreadyHandled`.
    pub handled: Option<NotificationId>,
    /// The worker's lease, which must still hold.
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

/// An intent: the operation and its prepared request.
#[derive(Debug, Clone)]
pub struct NewOperation {
    /// The operation.
    pub operation: Operation,
    /// The bytes to send, sealed until the operation is final.
    pub request: PreparedRequest,
    /// When recovery takes it up unless it is final by then.
    pub next_try_at: Timestamp,
    /// The idempotency key of the request that waits for it.
    pub key: Option<IdempotencyScope>,
}

/// An operation that changed.
#[derive(Debug, Clone)]
pub struct ChangedOperation {
    /// The operation; the request of a final one is deleted.
    pub operation: Operation,
    /// When recovery takes it up next; `None` leaves the time unchanged.
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

/// An idempotency key within its merchant's namespace.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IdempotencyScope {
    /// The merchant.
    pub merchant: MerchantId,
    /// The key.
    pub key: IdempotencyKey,
}

/// A change of an idempotency record.
#[derive(Debug, Clone)]
pub enum IdempotencyWrite {
    /// Reserves the key for a request whose operation is open. Fails with `IdempotencyKeyTaken` if
    /// a record exists, unless its response was stored more than 72 hours before `at` and its
    /// operation, if any, is no longer open.
    Reserve {
        /// The key.
        scope: IdempotencyScope,
        /// The fingerprint of the request.
        fingerprint: RequestFingerprint,
        /// The operation that the request waits for.
        operation: OperationId,
        /// The current time.
        at: Timestamp,
    },
    /// Takes the key and stores the response at once; fails like `Reserve`.
    ReserveAndComplete {
        /// The key.
        scope: IdempotencyScope,
        /// The fingerprint of the request.
        fingerprint: RequestFingerprint,
        /// The response.
        response: StoredResponse,
        /// The current time.
        at: Timestamp,
    },
    /// Stores the response of a reserved key; a response that is already stored stays.
    Complete {
        /// The key.
        scope: IdempotencyScope,
        /// The response.
        response: StoredResponse,
        /// The current time.
        at: Timestamp,
    },
    /// Frees a reserved key, so that the request can be repeated as if it had never been made.
    Release {
        /// The key.
        scope: IdempotencyScope,
    },
}

/// A stored idempotency record.
#[derive(Debug, Clone)]
pub struct IdempotencyRecord {
    /// The fingerprint of the request.
    pub fingerprint: RequestFingerprint,
    /// The operation that the request started, if any.
    pub operation: Option<OperationId>,
    /// The response, if there is one yet.
    pub response: Option<StoredResponse>,
    /// When the response was stored.
    pub responded_at: Option<Timestamp>,
}

/// A worker's exclusive, expiring claim on one item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// The claimed item.
    pub item: LeasedItem,
    /// The token, unique to this claim.
    pub token: UnitId,
}

/// An item that can be claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeasedItem {
    /// An open operation.
    Operation(OperationId),
    /// A session whose deadline has passed.
    Session(SessionId),
    /// A PSP notification that waits to be applied.
    Notification(NotificationId),
    /// The delivery of this event.
    Delivery(EventId),
}
