//! The laws of the ports as test cases that every adapter must pass: of the stores, and of
//! [`connector`]s.
//!
//! A store's `tests/conformance.rs` (with `harness = false`) opens a fresh store for each law:
//!
//! ```no_run
//! use std::{process::ExitCode, sync::Arc};
//! use oncharge_conformance::{TestedStore, run, set_fake_clock};
//! use oncharge_ports::Store;
//! use oncharge_testkit::{FakeClock, MemoryStore};
//!
//! fn main() -> ExitCode {
//!     run(|| async {
//!         let clock = Arc::new(FakeClock::new());
//!         let store = Arc::new(MemoryStore::new(clock.clone()));
//!         Ok(TestedStore::new(Store::new(store), set_fake_clock(clock)))
//!     })
//! }
//! ```
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "laws are tests, and a test may panic"
)]

#[macro_use]
mod check;
pub mod connector;
mod fixture;
mod generate;
pub mod laws;
mod runner;
mod timed_queue;

use std::{any::Any, ops::Deref, sync::Arc};

use futures_util::future::{BoxFuture, LocalBoxFuture};
pub use laws::all as laws;
use oncharge_domain::keyring::{KeyId, Keyring};
use oncharge_ports::Store;
pub use runner::{run, trials};
pub use timed_queue::{SetClock, TimedQueue, set_fake_clock};

/// A store under test, which is empty at the start of each law.
#[derive(Clone)]
pub struct TestedStore {
    /// Its ports.
    pub ports: Store,
    /// Its due work, by a clock that the law sets.
    pub queue: TimedQueue,
    /// Opens the same data with other keys; `None` if the store seals nothing, which makes the laws
    /// about sealing pass trivially.
    pub reopen: Option<Reopen>,
    /// A resource that must live as long as the store: a temporary directory, a database to drop.
    pub guard: Option<Arc<dyn Any + Send + Sync>>,
}

/// Opens the same data with these keys, while the first store stays open.
pub type Reopen =
    Arc<dyn Fn(Keyring) -> BoxFuture<'static, anyhow::Result<TestedStore>> + Send + Sync>;

/// One law; its error says how the store violates it.
pub type Law = fn(TestedStore) -> LocalBoxFuture<'static, anyhow::Result<()>>;

impl Deref for TestedStore {
    type Target = Store;

    fn deref(&self) -> &Store {
        &self.ports
    }
}

impl TestedStore {
    /// A store with its clock.
    pub fn new(ports: Store, clock: SetClock) -> Self {
        Self {
            queue: TimedQueue::new(ports.work.clone(), clock),
            ports,
            reopen: None,
            guard: None,
        }
    }

    /// Adds a way to open the same data with other keys.
    #[must_use]
    pub fn with_reopen(mut self, reopen: Reopen) -> Self {
        self.reopen = Some(reopen);
        self
    }

    /// Adds a resource that lives as long as the store.
    #[must_use]
    pub fn with_guard(mut self, guard: impl Any + Send + Sync) -> Self {
        self.guard = Some(Arc::new(guard));
        self
    }
}

/// The master keys with which an adapter opens the store of each law: one key named `a`.
pub fn keys() -> Keyring {
    keyring(&[("a", 1)])
}

/// Keys with these names, each filled with one byte, in this order.
pub(crate) fn keyring(keys: &[(&str, u8)]) -> Keyring {
    let entry = |(id, byte): &(&str, u8)| {
        Keyring::entry(&KeyId::parse(id).unwrap(), &[*byte; 32]).to_string()
    };
    let entries: Vec<String> = keys.iter().map(entry).collect();
    Keyring::parse(&entries.join(",")).unwrap()
}
