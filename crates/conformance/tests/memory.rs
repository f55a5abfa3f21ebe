//! The in-memory store obeys the laws, so use cases can be tested with it instead of a database.

use std::{process::ExitCode, sync::Arc};

use oncharge_conformance::{TestedStore, run, set_fake_clock};
use oncharge_ports::Store;
use oncharge_testkit::{FakeClock, MemoryStore};

fn main() -> ExitCode {
    run(|| async {
        let clock = Arc::new(FakeClock::new());
        let store = Arc::new(MemoryStore::new(clock.clone()));
        Ok(TestedStore::new(Store::new(store), set_fake_clock(clock)))
    })
}
