//! The cost of a load: CPU time, memory, round trips to the database.

use std::{fs, net::SocketAddr};

use anyhow::Context;
use http_body_util::Full;
use hyper::{Request, body::Bytes, header};

use crate::http;

/// Ticks per second of `/proc/PID/stat`: the same on every current Linux.
const TICKS_PER_SECOND: f64 = 100.0;
/// The server's metric of round trips, if it has one.
const ROUND_TRIPS: &str = "oncharge_database_round_trips_total";

/// The measured processes.
#[derive(Clone, Copy)]
pub(crate) struct Gauges {
    /// The server's process id.
    pub(crate) server: u32,
    /// The process id of PostgreSQL's first process, the parent of all others.
    pub(crate) database: Option<u32>,
    /// The address of the server's metrics.
    pub(crate) operators: Option<SocketAddr>,
}

/// One reading of the gauges.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Reading {
    /// CPU time of the server, in seconds.
    pub(crate) server_seconds: f64,
    /// CPU time of PostgreSQL's processes, in seconds.
    pub(crate) database_seconds: Option<f64>,
    /// Number of the server's round trips to the database.
    pub(crate) round_trips: Option<f64>,
    /// The server's resident memory, in MiB.
    pub(crate) resident: f64,
}

impl Gauges {
    pub(crate) async fn read(&self) -> anyhow::Result<Reading> {
        let round_trips = match self.operators {
            Some(address) => round_trips(&metrics(address).await?),
            None => None,
        };
        Ok(Reading {
            server_seconds: cpu_seconds(self.server)?,
            database_seconds: self.database.map(process_tree_seconds).transpose()?,
            round_trips,
            resident: resident(self.server)?,
        })
    }
}

async fn metrics(address: SocketAddr) -> anyhow::Result<String> {
    let request = Request::get("/metrics").header(header::HOST, address.to_string());
    http::fetch(address, request.body(Full::new(Bytes::new()))?).await
}

fn round_trips(metrics: &str) -> Option<f64> {
    let line = |line: &str| line.strip_prefix(ROUND_TRIPS)?.trim().parse().ok();
    metrics.lines().find_map(line)
}

/// The used fields of `/proc/PID/stat`.
struct Stat {
    parent: u32,
    /// CPU time of the process and its threads, in seconds.
    own: f64,
    /// CPU time of its ended children, in seconds.
    ended_children: f64,
}

/// CPU time of a process and its children, running or ended, in seconds.
pub(crate) fn process_tree_seconds(pid: u32) -> anyhow::Result<f64> {
    let parent = stat(&fs::read_to_string(format!("/proc/{pid}/stat"))?)?;
    let mut seconds = parent.own + parent.ended_children;
    for entry in fs::read_dir("/proc")? {
        // Processes may end during the scan; most entries of `/proc` are not processes.
        let Ok(text) = fs::read_to_string(entry?.path().join("stat")) else {
            continue;
        };
        let Ok(other) = stat(&text) else { continue };
        if other.parent == pid {
            seconds += other.own;
        }
    }
    Ok(seconds)
}

/// CPU time of a process and its threads, in seconds.
pub(crate) fn cpu_seconds(pid: u32) -> anyhow::Result<f64> {
    Ok(stat(&fs::read_to_string(format!("/proc/{pid}/stat"))?)?.own)
}

/// Parses `/proc/PID/stat`, whose second field, in brackets, may contain anything.
fn stat(text: &str) -> anyhow::Result<Stat> {
    let read = || {
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
        let ticks = |at: usize| fields.get(at)?.parse::<f64>().ok();
        let sum_pair = |at: usize| Some((ticks(at)? + ticks(at + 1)?) / TICKS_PER_SECOND);
        Some(Stat {
            parent: fields.get(1)?.parse().ok()?,
            own: sum_pair(11)?,
            ended_children: sum_pair(13)?,
        })
    };
    read().context("/proc/PID/stat cannot be read")
}

fn resident(pid: u32) -> anyhow::Result<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|rest| rest.trim().strip_suffix("kB")?.trim().parse::<f64>().ok());
    Ok(kib.context("no VmRSS")? / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stat_is_parsed_for_any_process_name() {
        let text = "42 (a) b (c)) S 7 42 42 0 -1 4194560 1 2 3 4 150 50 25 75 20 0 3 0";
        let read = stat(text).unwrap();
        assert_eq!((read.parent, read.own, read.ended_children), (7, 2.0, 1.0));
        assert!(stat("42").is_err());
        assert!(cpu_seconds(std::process::id()).unwrap() >= 0.0);
        assert!(resident(std::process::id()).unwrap() > 0.0);
    }

    #[test]
    fn round_trips_are_read_from_the_metrics() {
        let text = format!("# TYPE {ROUND_TRIPS} counter\n{ROUND_TRIPS} 1234\nother 1\n");
        assert_eq!(round_trips(&text), Some(1234.0));
        assert_eq!(round_trips("other 1\n"), None);
    }
}
