//! Mutants of operator queries, over an otherwise correct store.

use std::sync::Arc;

use async_trait::async_trait;
use oncharge_conformance::{TestedStore, laws, set_fake_clock};
use oncharge_domain::{id::SessionId, session::StatusName, time::Timestamp};
use oncharge_ports::{
    OperatorQueries, Store, StoreError,
    operator_queries::{FoundSession, SessionHistory, SessionIdentifier, SessionSearch},
    queries::Page,
};
use oncharge_testkit::{FakeClock, MemoryStore};

/// The defect of a store.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Mutation {
    HidesContactPresence,
    /// Only ids are found.
    FindsOnlyIds,
    IgnoresMerchants,
    IgnoresStatuses,
    IgnoresTimes,
    /// Sessions past their expiry stay `created`.
    IgnoresNow,
    OldestFirst,
    OmitsTries,
    OmitsNextTries,
    OmitsAttempts,
    OmitsRefunds,
    DuplicatesAudit,
    IgnoresCountStart,
    IgnoresCountLimit,
}

struct MutantStore {
    store: Arc<MemoryStore>,
    mutation: Mutation,
}

impl MutantStore {
    fn has(&self, mutation: Mutation) -> bool {
        self.mutation == mutation
    }

    fn corrupt_history(&self, session_history: &mut SessionHistory) {
        for seen in &mut session_history.operations {
            if self.has(Mutation::OmitsTries) {
                seen.tries = 0;
            }
            if self.has(Mutation::OmitsNextTries) {
                seen.next_try_at = None;
            }
        }
        if self.has(Mutation::OmitsAttempts) {
            let deliveries = session_history
                .events
                .iter_mut()
                .filter_map(|e| e.delivery.as_mut());
            deliveries.for_each(|delivery| delivery.attempts.clear());
        }
        if self.has(Mutation::OmitsRefunds) {
            session_history.refunds.clear();
        }
        if self.has(Mutation::DuplicatesAudit) {
            session_history.audit.extend(session_history.audit.clone());
        }
        if self.has(Mutation::HidesContactPresence) {
            session_history.contact = oncharge_ports::operator_queries::ContactPresence::default();
        }
    }
}

#[async_trait]
impl OperatorQueries for MutantStore {
    async fn find_sessions(
        &self,
        search: &SessionSearch,
        page: Page,
    ) -> Result<Vec<FoundSession>, StoreError> {
        let mut search = search.clone();
        if self.has(Mutation::FindsOnlyIds)
            && matches!(search.identifier, Some(SessionIdentifier::Text(_)))
        {
            return Ok(Vec::new());
        }
        if self.has(Mutation::IgnoresMerchants) {
            search.merchant = None;
        }
        if self.has(Mutation::IgnoresStatuses) {
            search.status = None;
        }
        if self.has(Mutation::IgnoresTimes) {
            search.created_after = None;
            search.created_before = None;
        }
        if self.has(Mutation::IgnoresNow) {
            search.now = search.now.plus_seconds(-86_400);
        }
        let mut found = self.store.find_sessions(&search, page).await?;
        if self.has(Mutation::OldestFirst) {
            found.reverse();
        }
        Ok(found)
    }

    async fn session_history(
        &self,
        session: SessionId,
    ) -> Result<Option<SessionHistory>, StoreError> {
        let mut session_history = self.store.session_history(session).await?;
        if let Some(session_history) = &mut session_history {
            self.corrupt_history(session_history);
        }
        Ok(session_history)
    }

    async fn count_sessions(
        &self,
        since: Timestamp,
        now: Timestamp,
        most: u32,
    ) -> Result<Vec<(StatusName, u64)>, StoreError> {
        let since = if self.has(Mutation::IgnoresCountStart) {
            since.plus_seconds(-86_400)
        } else {
            since
        };
        let now = if self.has(Mutation::IgnoresNow) {
            now.plus_seconds(-86_400)
        } else {
            now
        };
        let most = if self.has(Mutation::IgnoresCountLimit) {
            u32::MAX
        } else {
            most
        };
        self.store.count_sessions(since, now, most).await
    }
}

#[tokio::test]
async fn each_operator_query_mutant_breaks_its_law() {
    let (names, filters) = (
        "a_session_is_found_by_each_identifier",
        "search_filters_apply",
    );
    let (sealed, whole) = (
        "operator_queries_open_no_sealed_values",
        "a_session_history_is_complete",
    );
    let (pages, counts) = (
        "pages_of_all_merchants_are_stable",
        "sessions_are_counted_by_status",
    );
    for (mutation, name) in [
        (Mutation::HidesContactPresence, sealed),
        (Mutation::FindsOnlyIds, names),
        (Mutation::IgnoresMerchants, filters),
        (Mutation::IgnoresStatuses, filters),
        (Mutation::IgnoresTimes, filters),
        (Mutation::IgnoresNow, filters),
        (Mutation::OldestFirst, pages),
        (Mutation::OmitsTries, whole),
        (Mutation::OmitsNextTries, whole),
        (Mutation::OmitsAttempts, whole),
        (Mutation::OmitsRefunds, whole),
        (Mutation::DuplicatesAudit, whole),
        (Mutation::IgnoresCountStart, counts),
        (Mutation::IgnoresCountLimit, counts),
        (Mutation::IgnoresNow, counts),
    ] {
        let clock = Arc::new(FakeClock::new());
        let memory = Arc::new(MemoryStore::new(clock.clone()));
        let ports = Store {
            operator_queries: Arc::new(MutantStore {
                store: memory.clone(),
                mutation,
            }),
            ..Store::new(memory)
        };
        let store = TestedStore::new(ports, set_fake_clock(clock));
        let (_, law) = laws().into_iter().find(|(law, _)| *law == name).unwrap();
        let kept = law(store).await;
        assert!(
            kept.is_err(),
            "{name} passes with the mutation {mutation:?}"
        );
    }
}
