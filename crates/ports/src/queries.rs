//! What lists can be asked for.

use oncharge_domain::{
    cursor::Position,
    id::{EventId, MerchantId, SessionId},
    psp::PspReference,
    session::{Event, EventKind, StatusName},
    text::{Metadata, OrderId, Reference},
    time::Timestamp,
};

/// One page of a list, newest first by (`created_at`, id).
#[derive(Debug, Clone, Copy)]
pub struct Page {
    /// After which row it begins; `None` for the first page.
    pub after: Option<Position>,
    /// How many rows at most.
    pub limit: u32,
}

/// Which sessions.
#[derive(Debug, Clone)]
pub struct SessionFilter {
    /// Of this merchant.
    pub merchant: MerchantId,
    /// In this status as it is read at `now`: `created` past its expiry counts as `expired`.
    pub status: Option<StatusName>,
    /// With exactly this reference.
    pub reference: Option<Reference>,
    /// With exactly this order number.
    pub order_id: Option<OrderId>,
    /// With an operation that the PSP knows under this reference.
    pub psp_reference: Option<PspReference>,
    /// Created at or after.
    pub created_after: Option<Timestamp>,
    /// Created before.
    pub created_before: Option<Timestamp>,
    /// The present time, by which `created` and `expired` are told apart.
    pub now: Timestamp,
}

/// Which refunds.
#[derive(Debug, Clone)]
pub struct RefundFilter {
    /// Of this merchant.
    pub merchant: MerchantId,
    /// Of this session.
    pub session: Option<SessionId>,
}

/// Which events.
#[derive(Debug, Clone)]
pub struct EventFilter {
    /// Of this merchant.
    pub merchant: MerchantId,
    /// Of this session.
    pub session: Option<SessionId>,
    /// Of this kind.
    pub kind: Option<EventKind>,
}

/// An event as it is kept, with what its payload takes from the session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEvent {
    /// Its id.
    pub id: EventId,
    /// The event.
    pub event: Event,
    /// The session's reference.
    pub merchant_reference: Reference,
    /// The session's metadata.
    pub metadata: Metadata,
}
