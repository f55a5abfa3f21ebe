//! The in-memory store obeys the laws, so use cases can be tested with it instead of a database.

use std::{process::ExitCode, sync::Arc};

use oncharge_conformance::{Store, run, set_fake_clock};
use oncharge_testkit::{FakeClock, MemoryStore};

fn main() -> ExitCode {
    run(|| async {
        let clock = Arc::new(FakeClock::new());
        let store = Arc::new(MemoryStore::new(clock.clone()));
        Ok(Store::of(store, set_fake_clock(clock)))
    })
}
