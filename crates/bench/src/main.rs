//! Benchmarks the service against the limits of the machine; built and run by `scripts/bench`.
//!
//! `run` starts the service and loads it over HTTP like a merchant. Measurements that need a
//! thousand merchants, or only a part of the service, are wired in this process, on the real
//! stores. Fails on wrong responses, never for being slow. Linux only (reads `/proc`).

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
    /// Measures the effect of merchants with hanging endpoints on all others.
    Isolation(isolation::Arguments),
    /// Measures how many webhooks are delivered per second.
    Deliveries(deliveries::Arguments),
    /// Measures the latency of the response to a PSP's notification.
    Acknowledge(acknowledge::Arguments),
    /// Serves a constant response, as a limit to measure; prints its port.
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

/// Prints a result to standard output.
fn print(line: impl std::fmt::Display) -> std::io::Result<()> {
    writeln!(std::io::stdout().lock(), "{line}")
}

/// Prints progress to standard error.
fn print_note(line: impl std::fmt::Display) {
    // A closed standard error must not end the run.
    let _ = writeln!(std::io::stderr().lock(), "   {line}");
}
