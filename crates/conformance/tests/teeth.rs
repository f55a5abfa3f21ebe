//! The laws bite: a store with one flaw breaks the law that is about it.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use oncharge_conformance::{Store, laws};
use oncharge_domain::{
    id::{OperationId, RefundId, SessionId},
    operation::Operation,
    psp::TokenFingerprint,
    refund::Refund,
    session::Session,
    time::Timestamp,
};
use oncharge_ports::{
    CheckoutRepository, CommitError, StoreError, UnitOfWork, WorkQueue,
    psp::PreparedRequest,
    queries::{EventFilter, Page, RefundFilter, SessionFilter, StoredEvent},
    unit_of_work::{KeyRecord, KeyScope, KeyWrite, Lease},
    work_queue::{ClaimedOperation, ClaimedSession, QueueDepth},
};
use oncharge_testkit::{FakeClock, MemoryStore};

/// What is wrong with the store.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Flaw {
    /// A stale unit is written over the newest version.
    LastWriterWins,
    /// What a failed unit brought along is written all the same.
    WritesHalf,
    IgnoresLeases,
    IgnoresKeys,
    /// Forgets to free.
    KeepsKeys,
    AlwaysCommitted,
    NeverCommitted,
    CutsTimes,
    DropsContact,
    DropsReference,
    KeepsRequests,
    OldestFirst,
    RepeatsPages,
    ClaimsTwice,
    ClaimsEarly,
    WakesNothing,
}

struct Flawed(Arc<MemoryStore>, Flaw);

impl Flawed {
    fn has(&self, flaw: Flaw) -> bool {
        self.1 == flaw
    }
}

#[async_trait]
impl CheckoutRepository for Flawed {
    async fn session(&self, id: SessionId) -> Result<Option<Session>, StoreError> {
        let mut found = self.0.session(id).await?;
        if let Some(session) = &mut found {
            if self.has(Flaw::CutsTimes) {
                session.updated_at = session.updated_at.whole_seconds();
            }
            if self.has(Flaw::DropsContact) {
                session.contact.phone = None;
            }
        }
        Ok(found)
    }

    async fn operation(&self, id: OperationId) -> Result<Option<Operation>, StoreError> {
        let found = self.0.operation(id).await?;
        Ok(found.map(|mut operation| {
            if self.has(Flaw::DropsReference) {
                operation.reference = None;
            }
            operation
        }))
    }

    async fn request(&self, id: OperationId) -> Result<Option<PreparedRequest>, StoreError> {
        let found = self.0.request(id).await?;
        if self.has(Flaw::KeepsRequests) && found.is_none() {
            return Ok(Some(PreparedRequest::new(vec![1])));
        }
        Ok(found)
    }

    async fn has_attempt(
        &self,
        session: SessionId,
        token: TokenFingerprint,
    ) -> Result<bool, StoreError> {
        self.0.has_attempt(session, token).await
    }

    async fn refund(&self, id: RefundId) -> Result<Option<Refund>, StoreError> {
        CheckoutRepository::refund(&*self.0, id).await
    }

    async fn unsent_refunds(
        &self,
        session: SessionId,
    ) -> Result<Vec<(Refund, Operation)>, StoreError> {
        self.0.unsent_refunds(session).await
    }

    async fn key(&self, scope: &KeyScope) -> Result<Option<KeyRecord>, StoreError> {
        CheckoutRepository::key(&*self.0, scope).await
    }

    async fn waiting_key(&self, operation: OperationId) -> Result<Option<KeyScope>, StoreError> {
        self.0.waiting_key(operation).await
    }

    async fn sessions(
        &self,
        filter: &SessionFilter,
        page: Page,
    ) -> Result<Vec<Session>, StoreError> {
        let page = Page {
            after: page.after.filter(|_| !self.has(Flaw::RepeatsPages)),
            ..page
        };
        let mut found = self.0.sessions(filter, page).await?;
        if self.has(Flaw::OldestFirst) {
            found.reverse();
        }
        Ok(found)
    }

    async fn refunds(&self, filter: &RefundFilter, page: Page) -> Result<Vec<Refund>, StoreError> {
        self.0.refunds(filter, page).await
    }

    async fn events(
        &self,
        filter: &EventFilter,
        page: Page,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        self.0.events(filter, page).await
    }

    async fn commit(&self, mut unit: UnitOfWork) -> Result<(), CommitError> {
        let frees = matches!(unit.key, Some(KeyWrite::Free { .. }));
        if self.has(Flaw::IgnoresKeys) || (self.has(Flaw::KeepsKeys) && frees) {
            unit.key = None;
        }
        if self.has(Flaw::IgnoresLeases) {
            unit.lease = None;
        }
        let result = self.0.commit(unit.clone()).await;
        let stale = matches!(result, Err(CommitError::Conflict));
        let again = (stale && self.has(Flaw::LastWriterWins))
            || (result.is_err() && self.has(Flaw::WritesHalf));
        if !again {
            return result;
        }
        let Some(newest) = self.0.session(unit.session.id).await? else {
            return result;
        };
        if self.has(Flaw::WritesHalf) {
            (unit.key, unit.lease, unit.events) = (None, None, Vec::new());
            unit.session = newest.clone();
        }
        unit.session.version = newest.version + 1;
        let written = self.0.commit(unit).await;
        if self.has(Flaw::WritesHalf) {
            result
        } else {
            written
        }
    }

    async fn committed(&self, unit: &UnitOfWork) -> Result<bool, StoreError> {
        match self.1 {
            Flaw::AlwaysCommitted => Ok(true),
            Flaw::NeverCommitted => Ok(false),
            _ => self.0.committed(unit).await,
        }
    }
}

#[async_trait]
impl WorkQueue for Flawed {
    async fn claim_operations(
        &self,
        mut now: Timestamp,
        limit: u32,
        mut lease: Duration,
    ) -> Result<Vec<ClaimedOperation>, StoreError> {
        if self.has(Flaw::ClaimsTwice) {
            lease = Duration::ZERO;
        }
        if self.has(Flaw::ClaimsEarly) {
            now = now.plus_seconds(5);
        }
        // Never more than a few, so that workers which claim twice come to an end.
        let claimed = self.0.claim_operations(now, limit, lease).await?;
        Ok(claimed
            .into_iter()
            .filter(|claim| claim.tries < 5)
            .collect())
    }

    async fn claim_sessions(
        &self,
        now: Timestamp,
        limit: u32,
        lease: Duration,
    ) -> Result<Vec<ClaimedSession>, StoreError> {
        self.0.claim_sessions(now, limit, lease).await
    }

    async fn renew(&self, lease: Lease, length: Duration) -> Result<bool, StoreError> {
        self.0.renew(lease, length).await
    }

    async fn release(&self, lease: Lease, next_try_at: Timestamp) -> Result<(), StoreError> {
        self.0.release(lease, next_try_at).await
    }

    async fn wake_all(&self, now: Timestamp) -> Result<(), StoreError> {
        if self.has(Flaw::WakesNothing) {
            return Ok(());
        }
        self.0.wake_all(now).await
    }

    async fn depth(&self) -> Result<QueueDepth, StoreError> {
        self.0.depth().await
    }
}

async fn keeps(flaw: Flaw, name: &str) -> anyhow::Result<()> {
    let memory = Arc::new(MemoryStore::new(Arc::new(FakeClock::new())));
    let flawed = Arc::new(Flawed(memory.clone(), flaw));
    let store = Store {
        checkout: flawed.clone(),
        queue: flawed,
        ..Store::of(memory)
    };
    let (_, law) = laws().into_iter().find(|(law, _)| *law == name).unwrap();
    law(store).await
}

#[tokio::test]
async fn each_flaw_breaks_its_law() {
    for (flaw, law) in [
        (Flaw::LastWriterWins, "a_stale_unit_leaves_nothing"),
        (Flaw::LastWriterWins, "one_of_two_racing_commits_wins"),
        (Flaw::WritesHalf, "all_or_nothing"),
        (Flaw::WritesHalf, "event_numbers_are_unique"),
        (Flaw::IgnoresLeases, "a_lost_lease_cannot_commit"),
        (
            Flaw::IgnoresLeases,
            "a_session_lease_guards_like_an_operations",
        ),
        (Flaw::IgnoresKeys, "a_key_is_reserved_once"),
        (Flaw::IgnoresKeys, "a_key_is_reserved_once_by_racers"),
        (Flaw::IgnoresKeys, "a_remembered_answer_stays"),
        (Flaw::KeepsKeys, "a_freed_key_can_be_taken_again"),
        (Flaw::AlwaysCommitted, "committed_tells_the_truth"),
        (Flaw::NeverCommitted, "committed_tells_the_truth"),
        (
            Flaw::NeverCommitted,
            "a_dropped_commit_leaves_all_or_nothing",
        ),
        (Flaw::CutsTimes, "times_survive"),
        (Flaw::DropsContact, "what_is_saved_loads_equal"),
        (Flaw::DropsReference, "operations_load_equal"),
        (Flaw::KeepsRequests, "requests_are_deleted_once_final"),
        (Flaw::OldestFirst, "pages_are_stable"),
        (Flaw::RepeatsPages, "pages_are_stable"),
        (Flaw::ClaimsTwice, "no_item_is_leased_twice"),
        (Flaw::ClaimsEarly, "only_what_is_due_is_claimed"),
        (Flaw::WakesNothing, "wake_all_spares_what_is_held"),
    ] {
        let kept = keeps(flaw, law).await;
        assert!(kept.is_err(), "{law} does not notice that a store {flaw:?}");
    }
}

/// The wrapper itself breaks nothing: without its flaw in play the laws hold.
#[tokio::test]
async fn a_flaw_breaks_nothing_else() {
    for (flaw, law) in [
        (Flaw::WakesNothing, "all_or_nothing"),
        (Flaw::WakesNothing, "pages_are_stable"),
        (Flaw::OldestFirst, "no_item_is_leased_twice"),
        (Flaw::KeepsRequests, "a_key_is_reserved_once"),
    ] {
        keeps(flaw, law).await.unwrap();
    }
}
