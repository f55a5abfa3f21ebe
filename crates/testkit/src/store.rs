//! A store in memory: a mutex and maps, as strict as the databases, with faults on demand.

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

    /// Counts a call and takes the fault that was planned for it.
    fn next(&mut self) -> Option<CommitFault> {
        self.count += 1;
        self.planned.remove(&self.count)
    }
}

impl MemoryStore {
    /// An empty store whose clock, for due times and leases, is this one.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            state: Mutex::default(),
            faults: Mutex::default(),
            write_faults: Mutex::default(),
            key_reads: AtomicU64::new(0),
        }
    }

    /// Makes the `n`-th commit from now (1 is the next one) fail; every call of `commit` counts,
    /// whatever becomes of it. Panics for 0.
    pub fn fail_commit(&self, n: u64, fault: CommitFault) {
        self.faults.lock().unwrap().plan(n, fault);
    }

    /// The same for what is written without a unit of work and may fail like a commit: `close`,
    /// `record`, `write_idempotency_record` and `rotate_key`, all counted together. `Conflict` is not among what
    /// they know: it fails them like `Before`.
    pub fn fail_write(&self, n: u64, fault: CommitFault) {
        self.write_faults.lock().unwrap().plan(n, fault);
    }

    /// Forgets the faults that have not come up yet.
    pub fn clear_faults(&self) {
        self.faults.lock().unwrap().planned.clear();
        self.write_faults.lock().unwrap().planned.clear();
    }

    /// How often `commit` was called so far.
    pub fn commits(&self) -> u64 {
        self.faults.lock().unwrap().count
    }

    /// How often an API key was looked up so far.
    pub fn key_reads(&self) -> u64 {
        self.key_reads.load(Ordering::Relaxed)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Counts a commit and takes the fault that was planned for it.
    fn next_fault(&self) -> Option<CommitFault> {
        self.faults.lock().unwrap().next()
    }

    /// Writes all of a change or nothing, with the fault that was planned for it.
    async fn write(
        &self,
        change: impl FnOnce(&mut State) -> Result<(), CommitError> + Send,
    ) -> Result<(), CommitError> {
        // Other tasks get a turn, as they would while a database works.
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
