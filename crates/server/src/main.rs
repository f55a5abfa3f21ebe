//! The `oncharge` binary: reads the command line and runs one command.

mod command;
mod config;
mod sandbox;
mod server;
mod shop;
mod shutdown;
mod system;
mod telemetry;
mod wiring;

use std::{process::ExitCode, time::Duration};

use clap::Parser;

/// How long the end of a process waits for what blocks one of its threads, such as the look-up of a
/// name: everything that matters has come to its end before.
const LAST_WAIT: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    let cli = command::Cli::parse();
    // One crypto provider for every TLS connection of the process.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let ended = runtime.map_err(anyhow::Error::from).and_then(|runtime| {
        let ended = runtime.block_on(cli.run());
        runtime.shutdown_timeout(LAST_WAIT);
        ended
    });
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            telemetry::complain(&error);
            command::exit_code(&error)
        }
    }
}
