//! The store in memory keeps the laws, too: what use cases are tested over behaves like a database.

use std::{process::ExitCode, sync::Arc};

use oncharge_conformance::{Store, run};
use oncharge_testkit::{FakeClock, MemoryStore};

fn main() -> ExitCode {
    run(|| async {
        Ok(Store::of(Arc::new(MemoryStore::new(Arc::new(
            FakeClock::new(),
        )))))
    })
}
