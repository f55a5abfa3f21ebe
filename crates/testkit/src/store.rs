//! An in-memory store: a mutex and maps, as strict as the databases, with planned faults.

mod blocklist;
mod checkout;
mod commit;
mod deliveries;
mod inbox;
mod inspect;
mod key_registry;
mod maintenance;
mod merchants;
mod operator_queries;
mod queue;
mod state;
mod stuck;
mod webhooks;

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering},
    },
};

use oncharge_ports::{Clock, CommitError, StoreError};
use state::State;

/// How a commit fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommitFault {
    /// Nothing is written; the caller gets `Unavailable`.
    Before,
    /// Everything is written; the caller gets `OutcomeUnknown`.
    After,
    /// Nothing is written; the caller gets `Conflict`.
    Conflict,
}

/// The in-memory store; implements every port that a database implements.
pub struct MemoryStore {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    faults: Mutex<Faults>,
    write_faults: Mutex<Faults>,
    key_reads: AtomicU64,
}

#[derive(Default)]
struct Faults {
    count: u64,
    planned: BTreeMap<u64, CommitFault>,
}

impl Faults {
    fn plan(&mut self, n: u64, fault: CommitFault) {
        assert!(n > 0, "the next one is number 1");
        self.planned.insert(self.count + n, fault);
    }

    /// Counts a call and takes the fault planned for it.
    fn next(&mut self) -> Option<CommitFault> {
        self.count += 1;
        self.planned.remove(&self.count)
    }
}

impl MemoryStore {
    /// An empty store that uses this clock for due times and leases.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            state: Mutex::default(),
            faults: Mutex::default(),
            write_faults: Mutex::default(),
            key_reads: AtomicU64::new(0),
        }
    }

    /// Plans a failure of the `n`-th commit from now (1 is the next one); every call of `commit`
    /// counts, whatever its result. Panics for 0.
    pub fn fail_commit(&self, n: u64, fault: CommitFault) {
        self.faults.lock().unwrap().plan(n, fault);
    }

    /// As [`MemoryStore::fail_commit`], for writes outside a unit of work that can fail like a
    /// commit.
    ///
    /// These are `close`, `record`, `write_idempotency_record` and `rotate_key`, all counted
    /// together. They have no `Conflict`: it fails them like `Before`.
    pub fn fail_write(&self, n: u64, fault: CommitFault) {
        self.write_faults.lock().unwrap().plan(n, fault);
    }

    /// Removes all planned faults that have not occurred yet.
    pub fn clear_faults(&self) {
        self.faults.lock().unwrap().planned.clear();
        self.write_faults.lock().unwrap().planned.clear();
    }

    /// Number of calls of `commit` so far.
    pub fn commits(&self) -> u64 {
        self.faults.lock().unwrap().count
    }

    /// Number of look-ups of API keys so far.
    pub fn key_reads(&self) -> u64 {
        self.key_reads.load(Ordering::Relaxed)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Counts a commit and takes the fault planned for it.
    fn next_fault(&self) -> Option<CommitFault> {
        self.faults.lock().unwrap().next()
    }

    /// Applies a change, all or nothing, with the fault planned for it.
    async fn write(
        &self,
        change: impl FnOnce(&mut State) -> Result<(), CommitError> + Send,
    ) -> Result<(), CommitError> {
        // Yields to other tasks, as a database call would.
        tokio::task::yield_now().await;
        let fault = self.write_faults.lock().unwrap().next();
        if matches!(fault, Some(CommitFault::Before | CommitFault::Conflict)) {
            return Err(planned_fault().into());
        }
        {
            let mut state = self.state();
            let mut next = state.clone();
            change(&mut next)?;
            *state = next;
        }
        match fault {
            Some(_) => Err(CommitError::OutcomeUnknown),
            None => Ok(()),
        }
    }
}

fn planned_fault() -> StoreError {
    StoreError::Unavailable("a fault was planned here".into())
}

impl std::fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MemoryStore({} sessions)", self.state().sessions.len())
    }
}
