//! A closed loop: so many connections, each sends its next request when the last was answered.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context;
use hyper::StatusCode;
use tokio::task::JoinSet;

use crate::{
    sample::Sample,
    wire::{self, Outgoing},
};

/// Makes the next request of a connection: its number, and how many it has sent.
pub(crate) type Make = Arc<dyn Fn(usize, usize) -> anyhow::Result<Outgoing> + Send + Sync>;

/// What is sent, and what must come back.
#[derive(Clone)]
pub(crate) struct Load {
    pub(crate) address: SocketAddr,
    pub(crate) make: Make,
    pub(crate) expected: StatusCode,
}

/// What one connection has seen.
#[derive(Default)]
struct Lane {
    latencies: Vec<u32>,
    errors: usize,
    first_error: Option<String>,
}

impl Load {
    /// Sends with so many connections for so long. Signing stands before the clock is started, and
    /// so counts against requests per second but not as latency.
    pub(crate) async fn run(
        &self,
        connections: usize,
        lasting: Duration,
    ) -> anyhow::Result<Sample> {
        let started = Instant::now();
        let until = started + lasting;
        let mut lanes = JoinSet::new();
        for number in 0..connections {
            let load = self.clone();
            lanes.spawn(async move { load.lane(number, until).await });
        }
        let mut all = Lane::default();
        while let Some(lane) = lanes.join_next().await {
            let lane = lane?.context("a connection ended")?;
            all.latencies.extend(lane.latencies);
            all.errors += lane.errors;
            all.first_error = all.first_error.or(lane.first_error);
        }
        let mut sample = Sample::new(all.latencies, started.elapsed());
        (sample.errors, sample.first_error) = (all.errors, all.first_error);
        Ok(sample)
    }

    async fn lane(self, number: usize, until: Instant) -> anyhow::Result<Lane> {
        wire::connected(self.address, async |mut sender| {
            let mut lane = Lane::default();
            for turn in 0.. {
                let request = (self.make)(number, turn)?;
                let sent = Instant::now();
                if sent >= until {
                    break;
                }
                let (status, body) = wire::ask(&mut sender, request).await?;
                let micros = u32::try_from(sent.elapsed().as_micros()).unwrap_or(u32::MAX);
                if status == self.expected {
                    lane.latencies.push(micros);
                } else {
                    lane.errors += 1;
                    let text = || format!("{status}: {}", String::from_utf8_lossy(&body));
                    lane.first_error.get_or_insert_with(text);
                }
            }
            Ok(lane)
        })
        .await
    }
}
