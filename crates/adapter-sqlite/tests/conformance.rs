//! Runs the laws of the ports against SQLite, each on its own file.

use std::{path::PathBuf, process::ExitCode, sync::Arc};

use oncharge_adapter_sqlite::SqliteStore;
use oncharge_conformance::{Reopen, TestedStore, keys, run, set_fake_clock};
use oncharge_domain::keyring::Keyring;
use oncharge_ports::Store;
use oncharge_testkit::{FakeClock, SeededEntropy};

fn open(path: PathBuf, keys: Keyring, seed: u64) -> anyhow::Result<TestedStore> {
    let clock = Arc::new(FakeClock::new());
    let entropy = Arc::new(SeededEntropy::new(seed));
    let store = SqliteStore::open(&path, keys, entropy, clock.clone())?;
    let again: Reopen = Arc::new(move |keys| {
        let path = path.clone();
        Box::pin(async move { open(path, keys, seed + 1) })
    });
    let ports = Store::new(Arc::new(store));
    Ok(TestedStore::new(ports, set_fake_clock(clock)).with_reopen(again))
}

fn main() -> ExitCode {
    run(|| async {
        let directory = tempfile::tempdir()?;
        let store = open(directory.path().join("oncharge.db"), keys(), 1)?;
        Ok(store.with_guard(directory))
    })
}
