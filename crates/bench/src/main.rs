//! Measures the service beside the limits of the machine: `scripts/bench` builds and calls it.
//!
//! It starts what it measures, loads it over HTTP as a merchant would, and prints tables. It fails
//! where a request was answered wrongly, never for being slow. Linux only (it reads `/proc`).

mod constant;
mod disk;
mod gauges;
mod load;
mod merchant;
mod payments;
mod pgbench;
mod run;
mod sample;
mod service;
mod table;
mod wire;

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
    /// Serves a constant answer, as a limit to measure; prints its port.
    #[command(hide = true)]
    Constant,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    match Cli::parse().command {
        Command::Run(arguments) => run::run(arguments).await,
        Command::Constant => constant::serve().await,
    }
}

/// Writes a line to standard output: the result.
fn say(line: impl std::fmt::Display) -> std::io::Result<()> {
    writeln!(std::io::stdout().lock(), "{line}")
}

/// Writes a line to standard error: what is being done.
fn note(line: impl std::fmt::Display) {
    // Nobody reading along is no reason to stop.
    let _ = writeln!(std::io::stderr().lock(), "   {line}");
}
