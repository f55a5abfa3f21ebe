//! Filters and pages of the list queries.

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
    /// The row after which the page begins; `None` for the first page.
    pub after: Option<Position>,
    /// The maximum number of rows.
    pub limit: u32,
}

/// Filters a merchant's sessions.
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
    /// With an operation that has this reference at the PSP.
    pub psp_reference: Option<PspReference>,
    /// Created at or after.
    pub created_after: Option<Timestamp>,
    /// Created before.
    pub created_before: Option<Timestamp>,
    /// The current time, which separates `created` from `expired`.
    pub now: Timestamp,
}

/// Filters a merchant's refunds.
#[derive(Debug, Clone)]
pub struct RefundFilter {
    /// Of this merchant.
    pub merchant: MerchantId,
    /// Of this session.
    pub session: Option<SessionId>,
}

/// Filters a merchant's events.
#[derive(Debug, Clone)]
pub struct EventFilter {
    /// Of this merchant.
    pub merchant: MerchantId,
    /// Of this session.
    pub session: Option<SessionId>,
    /// Of this kind.
    pub kind: Option<EventKind>,
}

/// A stored event, with the session fields that its payload contains.
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
