//! The `oncharge` server: configuration, wiring, commands and the sandbox.
//!
//! The binary only calls [`run`]. Measurements and tests that need a part of the service in their
//! own process wire it with [`OpenedStore`] and [`Components`], like the server.

mod command;
mod config;
mod sandbox;
mod server;
mod shutdown;
mod system;
mod telemetry;
mod wiring;

use std::{process::ExitCode, time::Duration};

use clap::Parser;

pub use config::Keys;
pub use system::SystemClock;
pub use wiring::{Components, OpenedStore};

/// How long the process waits at exit for blocking threads, such as DNS look-ups: all relevant work
/// has ended before.
const RUNTIME_SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(1);

/// Parses the command line and runs one command; returns the exit code of the process.
pub fn run() -> ExitCode {
    let cli = command::Cli::parse();
    // One crypto provider for every TLS connection of the process.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let result = runtime.map_err(anyhow::Error::from).and_then(|runtime| {
        let result = runtime.block_on(cli.run());
        runtime.shutdown_timeout(RUNTIME_SHUTDOWN_TIMEOUT);
        result
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            telemetry::print_error(&error);
            command::exit_code(&error)
        }
    }
}
