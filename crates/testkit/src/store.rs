//! A store in memory: a mutex and maps, as strict as the databases, with faults on demand.

mod blocklist;
mod checkout;
mod commit;
mod merchants;
mod queue;
mod state;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
};

use oncharge_domain::{
    audit::AuditEntry, id::OperationId, id::SessionId, operation::Operation, refund::Refund,
    time::Timestamp,
};
use oncharge_ports::{Clock, queries::StoredEvent};
use state::State;

/// How a commit is made to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommitFault {
    /// Nothing is written; the caller is told that the store is unavailable.
    Before,
    /// Everything is written; the caller is told that the outcome is unknown.
    After,
    /// Nothing is written; the caller is told that another node was faster.
    Conflict,
}

/// The store in memory; implements every port that a database implements.
pub struct MemoryStore {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    faults: Mutex<Faults>,
}

#[derive(Default)]
struct Faults {
    commits: u64,
    planned: BTreeMap<u64, CommitFault>,
}

impl MemoryStore {
    /// An empty store whose leases are timed by this clock.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            state: Mutex::default(),
            faults: Mutex::default(),
        }
    }

    /// Makes the `n`-th commit from now (1 is the next one) fail; every call of `commit` counts,
    /// whatever becomes of it. Panics for 0.
    pub fn fail_commit(&self, n: u64, fault: CommitFault) {
        assert!(n > 0, "the next commit is number 1");
        let mut faults = self.faults.lock().unwrap();
        let at = faults.commits + n;
        faults.planned.insert(at, fault);
    }

    /// Forgets the faults that have not come up yet.
    pub fn clear_faults(&self) {
        self.faults.lock().unwrap().planned.clear();
    }

    /// How often `commit` was called so far.
    pub fn commits(&self) -> u64 {
        self.faults.lock().unwrap().commits
    }

    /// The audit log, oldest first.
    pub fn audit(&self) -> Vec<AuditEntry> {
        self.state().audit.clone()
    }

    /// Every operation of this session, oldest first.
    pub fn operations_of(&self, session: SessionId) -> Vec<Operation> {
        let state = self.state();
        let rows = state.operations.values().map(|row| &row.operation);
        rows.filter(|operation| operation.session == session)
            .cloned()
            .collect()
    }

    /// Every refund of this session, oldest first.
    pub fn refunds_of(&self, session: SessionId) -> Vec<Refund> {
        let state = self.state();
        let of_session = |refund: &&Refund| refund.session == session;
        state.refunds.values().filter(of_session).cloned().collect()
    }

    /// Every event of this session, by its number.
    pub fn events_of(&self, session: SessionId) -> Vec<StoredEvent> {
        let state = self.state();
        let of_session = |stored: &&StoredEvent| stored.event.session == session;
        let mut events: Vec<_> = state.events.iter().filter(of_session).cloned().collect();
        events.sort_by_key(|stored| stored.event.sequence);
        events
    }

    /// When recovery takes up this operation next; `None` where it is final or not there.
    pub fn next_try_at(&self, id: OperationId) -> Option<Timestamp> {
        let state = self.state();
        let row = state.operations.get(&id)?;
        row.operation.is_open().then_some(row.next_try_at)
    }

    /// The ids of all sessions, oldest first.
    pub fn session_ids(&self) -> Vec<SessionId> {
        self.state().sessions.keys().copied().collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Counts a commit and takes the fault that was planned for it.
    fn next_fault(&self) -> Option<CommitFault> {
        let mut faults = self.faults.lock().unwrap();
        faults.commits += 1;
        let number = faults.commits;
        faults.planned.remove(&number)
    }
}

impl std::fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MemoryStore({} sessions)", self.state().sessions.len())
    }
}
