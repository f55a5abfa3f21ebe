//! Measures the service beside the limits of the machine: `scripts/bench` builds and calls it.
//!
//! `run` starts the service and loads it over HTTP as a merchant would. What needs a thousand
//! merchants, or a part of the service alone, is wired in this process, on the real stores. It
//! fails where a request was answered wrongly, never for being slow. Linux only (it reads `/proc`).

mod acknowledge;
mod app;
mod baseline;
mod database;
mod deliveries;
mod disk;
mod gauges;
mod http;
mod isolation;
mod load;
mod merchant;
mod payments;
mod pgbench;
mod receiver;
mod reference_server;
mod run;
mod sample;
mod service;
mod shops;
mod table;

use std::io::Write;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "oncharge-bench", about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Measures everything and prints the tables.
    Run(run::Arguments),
    /// Measures what merchants whose endpoints hang cost all others.
    Isolation(isolation::Arguments),
    /// Measures how many webhooks go out in a second.
    Deliveries(deliveries::Arguments),
    /// Measures how long a PSP waits for the answer to a notification.
    Acknowledge(acknowledge::Arguments),
    /// Serves a constant answer, as a limit to measure; prints its port.
    #[command(hide = true)]
    Baseline,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    // One crypto provider for every TLS client of the process.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match Cli::parse().command {
        Command::Run(arguments) => run::run(arguments).await,
        Command::Isolation(arguments) => isolation::run(arguments).await,
        Command::Deliveries(arguments) => deliveries::run(arguments).await,
        Command::Acknowledge(arguments) => acknowledge::run(arguments).await,
        Command::Baseline => baseline::serve().await,
    }
}

/// Writes a line to standard output: the result.
fn print(line: impl std::fmt::Display) -> std::io::Result<()> {
    writeln!(std::io::stdout().lock(), "{line}")
}

/// Writes a line to standard error: what is being done.
fn print_note(line: impl std::fmt::Display) {
    // Nobody reading along is no reason to stop.
    let _ = writeln!(std::io::stderr().lock(), "   {line}");
}
