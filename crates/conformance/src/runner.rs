//! Runs every law as a separate test, with the arguments of `cargo test` and nextest.

use std::{process::ExitCode, sync::Arc};

use anyhow::Context;
use libtest_mimic::{Arguments, Failed, Trial};

use crate::{Law, TestedStore, laws};

/// Runs all laws, each on a fresh store from `open`; the complete `main` of an adapter's test.
pub fn run<F, Opening>(open: F) -> ExitCode
where
    F: Fn() -> Opening + Send + Sync + 'static,
    Opening: Future<Output = anyhow::Result<TestedStore>> + Send,
{
    let arguments = Arguments::from_args();
    libtest_mimic::run(&arguments, trials(open)).exit_code()
}

/// The laws as trials, for an adapter that adds tests of its own.
pub fn trials<F, Opening>(open: F) -> Vec<Trial>
where
    F: Fn() -> Opening + Send + Sync + 'static,
    Opening: Future<Output = anyhow::Result<TestedStore>> + Send,
{
    let open = Arc::new(open);
    let trial = |(name, law): (&'static str, Law)| {
        let open = Arc::clone(&open);
        Trial::test(name, move || run_law(law, &*open).map_err(Failed::from))
    };
    laws().into_iter().map(trial).collect()
}

fn run_law<F, Opening>(law: Law, open: &F) -> Result<(), String>
where
    F: Fn() -> Opening,
    Opening: Future<Output = anyhow::Result<TestedStore>>,
{
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    let outcome = runtime.block_on(async {
        let store = open().await.context("the store does not open")?;
        law(store).await
    });
    outcome.map_err(|error| format!("{error:?}"))
}
