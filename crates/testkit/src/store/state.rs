//! State of the in-memory store, and operations that several ports share.

use std::collections::{BTreeMap, HashMap};

use oncharge_domain::{
    audit::AuditEntry,
    blocklist::Ban,
    id::{EventId, MerchantId, NodeId, NotificationId, OperationId, RefundId, SessionId, UnitId},
    idempotency::RequestFingerprint,
    keyring::KeyId,
    merchant::{ApiKey, ApiKeyHash, Merchant},
    operation::Operation,
    refund::Refund,
    session::Session,
    time::Timestamp,
    webhook::{Delivery, DeliveryAttempt, DeliveryState, WebhookEndpoint},
};
use oncharge_ports::{
    StoredResponse,
    inbox::{NotificationStatus, StoredNotification},
    key_registry::Node,
    psp::PreparedRequest,
    queries::StoredEvent,
    unit_of_work::{IdempotencyScope, Lease, LeasedItem},
};

/// The whole state; cloned for each commit, so that a failed commit leaves nothing.
#[derive(Clone, Default)]
pub(super) struct State {
    pub(super) sessions: BTreeMap<SessionId, SessionRow>,
    pub(super) operations: BTreeMap<OperationId, OperationRow>,
    pub(super) refunds: BTreeMap<RefundId, Refund>,
    pub(super) events: Vec<StoredEvent>,
    pub(super) keys: HashMap<IdempotencyScope, KeyRow>,
    pub(super) audit: Vec<AuditEntry>,
    /// Each unit's merchant and the session version that it wrote.
    pub(super) units: BTreeMap<UnitId, (MerchantId, u32)>,
    pub(super) merchants: BTreeMap<MerchantId, Merchant>,
    pub(super) api_keys: HashMap<ApiKeyHash, ApiKey>,
    pub(super) bans: Vec<Ban>,
    /// Nodes, each with the end of its lifetime.
    pub(super) nodes: BTreeMap<NodeId, (Node, Timestamp)>,
    pub(super) master_keys: BTreeMap<KeyId, ([u8; 32], Timestamp)>,
    pub(super) peppers: BTreeMap<KeyId, [u8; 32]>,
    pub(super) notifications: BTreeMap<NotificationId, NotificationRow>,
    pub(super) endpoints: BTreeMap<MerchantId, WebhookEndpoint>,
    pub(super) deliveries: BTreeMap<EventId, DeliveryRow>,
    pub(super) claims: u64,
}

#[derive(Clone)]
pub(super) struct SessionRow {
    pub(super) session: Session,
    pub(super) claim: Option<Claim>,
}

#[derive(Clone)]
pub(super) struct OperationRow {
    pub(super) operation: Operation,
    pub(super) request: Option<PreparedRequest>,
    pub(super) next_try_at: Timestamp,
    pub(super) tries: u32,
    pub(super) claim: Option<Claim>,
}

#[derive(Clone)]
pub(super) struct KeyRow {
    pub(super) fingerprint: RequestFingerprint,
    pub(super) operation: Option<OperationId>,
    pub(super) response: Option<(StoredResponse, Timestamp)>,
}

#[derive(Clone)]
pub(super) struct NotificationRow {
    pub(super) stored: StoredNotification,
    pub(super) session: Option<SessionId>,
    pub(super) next_try_at: Timestamp,
    pub(super) tries: u32,
    pub(super) claim: Option<Claim>,
}

#[derive(Clone)]
pub(super) struct DeliveryRow {
    pub(super) delivery: Delivery,
    pub(super) created_at: Timestamp,
    /// `None` once the delivery has ended.
    pub(super) next_try_at: Option<Timestamp>,
    /// When it was delivered or became dead.
    pub(super) ended_at: Option<Timestamp>,
    pub(super) attempts: Vec<DeliveryAttempt>,
    pub(super) claim: Option<Claim>,
}

/// A worker's claim; valid until the store's clock reaches its end.
#[derive(Clone, Copy)]
pub(super) struct Claim {
    pub(super) token: UnitId,
    pub(super) until: Timestamp,
}

impl Claim {
    pub(super) fn holds(self, now: Timestamp) -> bool {
        now < self.until
    }
}

/// Whether there is a valid claim.
pub(super) fn is_held(claim: Option<Claim>, now: Timestamp) -> bool {
    claim.is_some_and(|claim| claim.holds(now))
}

impl NotificationRow {
    pub(super) fn is_waiting(&self) -> bool {
        self.stored.status == NotificationStatus::Waiting
    }

    /// Sets the final status and removes the claim.
    pub(super) fn end(&mut self, status: NotificationStatus) {
        self.stored.status = status;
        self.claim = None;
    }
}

impl DeliveryRow {
    /// Ends the delivery; an attempt in progress keeps its claim.
    pub(super) fn mark_dead(&mut self, now: Timestamp) {
        self.delivery.state = DeliveryState::Dead;
        self.next_try_at = None;
        self.ended_at = Some(now);
    }
}

impl State {
    /// Whether a delivery waits for an earlier first attempt of its session.
    pub(super) fn is_blocked_by_earlier(&self, row: &DeliveryRow) -> bool {
        let mine = &row.delivery;
        let is_before = |other: &DeliveryRow| {
            other.delivery.session == mine.session
                && other.delivery.sequence < mine.sequence
                && other.delivery.attempts == 0
                && other.next_try_at.is_some()
        };
        mine.attempts == 0 && self.deliveries.values().any(is_before)
    }

    /// The slot for an item's claim; `None` if the item does not exist.
    pub(super) fn claim_slot(&mut self, item: LeasedItem) -> Option<&mut Option<Claim>> {
        match item {
            LeasedItem::Operation(id) => Some(&mut self.operations.get_mut(&id)?.claim),
            LeasedItem::Session(id) => Some(&mut self.sessions.get_mut(&id)?.claim),
            LeasedItem::Notification(id) => Some(&mut self.notifications.get_mut(&id)?.claim),
            LeasedItem::Delivery(id) => Some(&mut self.deliveries.get_mut(&id)?.claim),
        }
    }

    /// The claim of this lease, if it is valid.
    pub(super) fn live_claim(&mut self, lease: Lease, now: Timestamp) -> Option<&mut Claim> {
        let claim = self.claim_slot(lease.item)?.as_mut()?;
        (claim.token == lease.token && claim.holds(now)).then_some(claim)
    }

    /// A claim token that was never used before.
    pub(super) fn new_token(&mut self, now: Timestamp) -> UnitId {
        self.claims += 1;
        let mut bytes = [0xc1; 10];
        for (to, from) in bytes.iter_mut().skip(2).zip(self.claims.to_be_bytes()) {
            *to = from;
        }
        UnitId::from_parts(now, bytes)
    }
}
