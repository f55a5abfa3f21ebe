//! The database's limit: the statements of the service's requests through `pgbench`.
//!
//! pgbench only sends them, prepared, with one connection per client. The database generates their
//! values (`lpad(to_hex(…))` for an id), which costs slightly more than parameters. Ids outside the
//! range of real sessions keep its rows apart.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context, ensure};

use crate::{
    gauges,
    sample::{Sample, as_float},
};

/// Number of pgbench's connections.
pub(crate) const CLIENTS: u32 = 8;
/// Number of sessions to get.
pub(crate) const SEEDED: u32 = 2000;

/// The wait until pgbench's server processes have ended and their CPU time is counted in their
/// parent's.
const EXIT_DELAY: Duration = Duration::from_millis(300);

/// The statements of a request.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Script {
    /// Creates the rows that the other scripts read and change; run once, before them.
    Seed,
    Create,
    CreateOnce,
    Get,
    Refund,
}

impl Script {
    fn text(self) -> &'static str {
        match self {
            Self::Seed => include_str!("../sql/seed.sql"),
            Self::Create => include_str!("../sql/create.sql"),
            Self::CreateOnce => include_str!("../sql/create_once.sql"),
            Self::Get => include_str!("../sql/get.sql"),
            Self::Refund => include_str!("../sql/refund.sql"),
        }
    }
}

/// The result of a pgbench run.
pub(crate) struct PgbenchResult {
    /// The latencies of its transactions.
    pub(crate) sample: Sample,
    /// PostgreSQL's CPU time per transaction, in seconds, if known.
    pub(crate) database_seconds: Option<f64>,
}

/// pgbench on a database with the service's schema.
pub(crate) struct Pgbench<'a> {
    pub(crate) program: &'a Path,
    pub(crate) url: &'a str,
    /// The process id of PostgreSQL's first process.
    pub(crate) database: Option<u32>,
    /// The id of the merchant that owns the rows, as hex digits.
    pub(crate) merchant: &'a str,
    /// The directory for scripts and logs.
    pub(crate) directory: &'a Path,
}

impl Pgbench<'_> {
    /// Creates the rows that the scripts need.
    pub(crate) fn seed(&self) -> anyhow::Result<()> {
        let file = self.write(Script::Seed.text())?;
        let mut command = self.command(&file, 0);
        command.args(["--protocol=extended", "--transactions=1", "--client=1"]);
        output(command)?;
        Ok(())
    }

    /// Runs a script for this time. `pipelined`: statements that the server sends together are sent
    /// together; otherwise each statement waits for the response to the previous one. `round` must
    /// differ between runs, so that ids are unique.
    pub(crate) fn run(
        &self,
        script: Script,
        pipelined: bool,
        round: u32,
        duration: Duration,
    ) -> anyhow::Result<PgbenchResult> {
        let (start, end) = if pipelined {
            ("\\startpipeline", "\\endpipeline")
        } else {
            ("", "")
        };
        let text = script
            .text()
            .replace("-- batch", start)
            .replace("-- end", end);
        let file = self.write(&text)?;
        let logs = tempfile::tempdir_in(self.directory)?;
        let mut command = self.command(&file, round);
        command.args(["--protocol=prepared", "--jobs=2", "--log"]);
        command.arg(format!("--client={CLIENTS}"));
        command.arg(format!("--time={}", duration.as_secs().max(1)));
        command.arg(format!(
            "--log-prefix={}",
            logs.path().join("log").display()
        ));
        let cpu_time = || self.database.map(gauges::process_tree_seconds).transpose();
        let before = cpu_time()?;
        let stdout = output(command)?;
        std::thread::sleep(EXIT_DELAY);
        let after = cpu_time()?;
        let mut sample = read_logs(logs.path())?;
        let count = as_float(sample.count());
        sample.elapsed = Duration::from_secs_f64(count / per_second(&stdout)?);
        Ok(PgbenchResult {
            sample,
            database_seconds: after
                .zip(before)
                .map(|(after, before)| (after - before) / count),
        })
    }

    fn command(&self, script: &Path, round: u32) -> Command {
        let mut command = Command::new(self.program);
        let bytes = |count: usize| format!("\\x{}", "5a".repeat(count));
        let first = u64::from(round) * 10_000_000_000;
        let variables = [
            ("merchant", self.merchant.to_owned()),
            ("n", first.to_string()),
            ("first", first.to_string()),
            ("first_seeded", "100000000000001".to_owned()),
            (
                "last_seeded",
                (100_000_000_000_000 + u64::from(SEEDED)).to_string(),
            ),
            ("first_captured", "200000000000000".to_owned()),
            ("clients", CLIENTS.to_string()),
            // As long as the server's value.
            ("hashes", format!("{{\"\\{}\"}}", bytes(32))),
            ("fingerprint", bytes(32)),
            ("email", bytes(47)),
            ("request", bytes(170)),
            ("body", bytes(330)),
        ];
        command.arg("--no-vacuum").arg("--file").arg(script);
        for (name, value) in variables {
            command.arg(format!("--define={name}={value}"));
        }
        command.arg(self.url).stdin(Stdio::null());
        command
    }

    fn write(&self, text: &str) -> anyhow::Result<PathBuf> {
        let file = self.directory.join("script.sql");
        fs::write(&file, text)?;
        Ok(file)
    }
}

/// Runs a command that must succeed; returns its output.
fn output(mut command: Command) -> anyhow::Result<String> {
    let output = command.output().context("pgbench does not start")?;
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    let stderr = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "pgbench failed ({}):\n{stdout}{stderr}",
        output.status
    );
    Ok(stdout)
}

/// Transactions per second without connection time, from pgbench's output.
fn per_second(stdout: &str) -> anyhow::Result<f64> {
    let line = stdout.lines().find_map(|line| line.strip_prefix("tps = "));
    let number = line.and_then(|rest| rest.split(' ').next()?.parse().ok());
    number.with_context(|| format!("pgbench printed no tps:\n{stdout}"))
}

/// The duration of each transaction, from the log files of pgbench's threads.
fn read_logs(logs: &Path) -> anyhow::Result<Sample> {
    let mut sample = Sample::empty()?;
    for entry in fs::read_dir(logs)? {
        for line in fs::read_to_string(entry?.path())?.lines() {
            let micros = line.split(' ').nth(2).and_then(|field| field.parse().ok());
            let micros = micros.with_context(|| format!("pgbench logged: {line}"))?;
            sample.record(Duration::from_micros(micros))?;
        }
    }
    ensure!(sample.count() > 0, "pgbench logged nothing");
    Ok(sample)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pgbench_output_is_parsed() {
        let stdout = "latency average = 1.9 ms\ntps = 4203.591 (without initial connection time)\n";
        assert!((per_second(stdout).unwrap() - 4203.591).abs() < f64::EPSILON);
        assert!(per_second("nothing").is_err());
        let logs = tempfile::tempdir().unwrap();
        fs::write(
            logs.path().join("log.1"),
            "0 1 1500 0 1795360150 1\n0 2 7 0 1795360150 9\n",
        )
        .unwrap();
        let sample = read_logs(logs.path()).unwrap();
        assert_eq!(sample.count(), 2);
        assert_eq!(
            (sample.percentile(50.0), sample.percentile(100.0)),
            (0.007, 1.5)
        );
        fs::write(logs.path().join("log.2"), "0 3 failed 0 1795360150 1\n").unwrap();
        assert!(read_logs(logs.path()).is_err());
    }
}
