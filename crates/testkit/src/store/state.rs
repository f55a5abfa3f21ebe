//! What the store in memory holds, and its small moves.

use std::collections::{BTreeMap, HashMap, HashSet};

use oncharge_domain::{
    audit::AuditEntry,
    blocklist::Ban,
    id::{MerchantId, OperationId, RefundId, SessionId, UnitId},
    idempotency::RequestFingerprint,
    merchant::{ApiKey, ApiKeyHash, Merchant},
    operation::Operation,
    refund::Refund,
    session::Session,
    time::Timestamp,
};
use oncharge_ports::{
    RememberedAnswer,
    psp::PreparedRequest,
    queries::StoredEvent,
    unit_of_work::{KeyScope, Lease, LeasedItem},
};

/// Everything; cloned for each commit, so that a commit that fails half-way leaves nothing.
#[derive(Clone, Default)]
pub(super) struct State {
    pub(super) sessions: BTreeMap<SessionId, SessionRow>,
    pub(super) operations: BTreeMap<OperationId, OperationRow>,
    pub(super) refunds: BTreeMap<RefundId, Refund>,
    pub(super) events: Vec<StoredEvent>,
    pub(super) keys: HashMap<KeyScope, KeyRow>,
    pub(super) audit: Vec<AuditEntry>,
    pub(super) units: HashSet<UnitId>,
    pub(super) merchants: BTreeMap<MerchantId, Merchant>,
    pub(super) api_keys: HashMap<ApiKeyHash, ApiKey>,
    pub(super) bans: Vec<Ban>,
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
    pub(super) answer: Option<(RememberedAnswer, Timestamp)>,
}

/// A worker's claim; holds while the store's clock is before its end.
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

impl State {
    /// The place of an item's claim; `None` where there is no such item.
    pub(super) fn claim_mut(&mut self, item: LeasedItem) -> Option<&mut Option<Claim>> {
        match item {
            LeasedItem::Operation(id) => Some(&mut self.operations.get_mut(&id)?.claim),
            LeasedItem::Session(id) => Some(&mut self.sessions.get_mut(&id)?.claim),
        }
    }

    /// The claim of this lease where it holds.
    pub(super) fn held(&mut self, lease: Lease, now: Timestamp) -> Option<&mut Claim> {
        let claim = self.claim_mut(lease.item)?.as_mut()?;
        (claim.token == lease.token && claim.holds(now)).then_some(claim)
    }

    /// A claim's token that was never given before.
    pub(super) fn new_token(&mut self, now: Timestamp) -> UnitId {
        self.claims += 1;
        let mut bytes = [0xc1; 10];
        for (to, from) in bytes.iter_mut().skip(2).zip(self.claims.to_be_bytes()) {
            *to = from;
        }
        UnitId::from_parts(now, bytes)
    }
}
