//! A closed-loop load: each connection sends its next request after the previous response.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context;
use hyper::StatusCode;
use tokio::task::JoinSet;

use crate::{
    http::{self, OutgoingRequest},
    sample::Sample,
};

/// Creates a connection's next request from the connection's number and the number of requests it
/// has sent.
pub(crate) type RequestFactory =
    Arc<dyn Fn(usize, usize) -> anyhow::Result<OutgoingRequest> + Send + Sync>;

/// The requests and their expected responses.
#[derive(Clone)]
pub(crate) struct Load {
    pub(crate) address: SocketAddr,
    pub(crate) make_request: RequestFactory,
    pub(crate) expected: StatusCode,
}

impl Load {
    /// Runs the load with this many connections for this time. Signing happens before the timer is
    /// started, so it counts against requests per second but not as latency.
    pub(crate) async fn run(
        &self,
        connections: usize,
        duration: Duration,
    ) -> anyhow::Result<Sample> {
        let started = Instant::now();
        let deadline = started + duration;
        let mut tasks = JoinSet::new();
        for number in 0..connections {
            let load = self.clone();
            tasks.spawn(async move { load.connection(number, deadline).await });
        }
        let mut sample = Sample::empty()?;
        while let Some(connection) = tasks.join_next().await {
            sample.add(connection.context("a connection ended")??)?;
        }
        sample.elapsed = started.elapsed();
        Ok(sample)
    }

    async fn connection(self, number: usize, deadline: Instant) -> anyhow::Result<Sample> {
        http::with_connection(self.address, async |mut sender| {
            let mut sample = Sample::empty()?;
            for turn in 0.. {
                let request = (self.make_request)(number, turn)?;
                let sent_at = Instant::now();
                if sent_at >= deadline {
                    break;
                }
                let (status, body) = http::send(&mut sender, request).await?;
                let latency = sent_at.elapsed();
                if status == self.expected {
                    sample.record(latency)?;
                } else {
                    sample.record_error(|| format!("{status}: {}", String::from_utf8_lossy(&body)));
                }
            }
            Ok(sample)
        })
        .await
    }
}
