//! The `oncharge` binary: parses the command line and runs one command.

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

/// How long the process waits at exit for blocking threads, such as DNS look-ups: all relevant work
/// has ended before.
const RUNTIME_SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
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
