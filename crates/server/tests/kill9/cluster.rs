//! A simulator and merchants' servers that are never killed, the nodes, and the proxies to their
//! database.

use std::{
    collections::BTreeSet,
    process::Output,
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use oncharge_psp_simulator as simulator;
use serde_json::{Value, json};

use crate::{
    behavior::Behavior,
    database_state::DatabaseState,
    disruption_counts::DisruptionCounts,
    node::Node,
    order_record::CaptureMode,
    plan::{Event, LinkFault, Participants, RoundPlan},
    receiver::Receiver,
    shop::Shop,
};

/// Number of merchants.
const MERCHANTS: usize = 6;
/// Maximum time until a node is ready.
const START_TIMEOUT: Duration = Duration::from_secs(30);
/// Poll interval.
const POLL_INTERVAL: Duration = Duration::from_millis(20);
/// Number of log lines shown for a failure.
const SHOWN_LINES: usize = 120;

/// All processes and servers of a test.
pub(crate) struct Cluster {
    nodes: Vec<Node>,
    simulator: simulator::Running,
    http: reqwest::Client,
    /// For each merchant, the response of `merchant create`.
    pub(crate) merchants: Vec<Value>,
    /// For each merchant, its webhook receiver.
    pub(crate) receivers: Vec<Receiver>,
}

impl Cluster {
    /// Starts all processes and creates the merchants.
    pub(crate) async fn start(database_state: &DatabaseState, nodes: usize) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let config = simulator::Config::new(
            database_state.simulator_file(),
            simulator::Secret::new("bearer-of-the-test"),
            simulator::Secret::new("key-of-the-test"),
        );
        let simulator = simulator::start(config).await.unwrap();
        let mut created_nodes = Vec::new();
        for number in 0..nodes {
            created_nodes.push(Node::make(database_state, simulator.url(), number));
        }
        let http = reqwest::Client::builder().no_proxy();
        let mut cluster = Self {
            nodes: created_nodes,
            simulator,
            http: http.timeout(Duration::from_secs(5)).build().unwrap(),
            merchants: Vec::new(),
            receivers: Vec::new(),
        };
        // Started concurrently: one of them migrates the database.
        for node in &cluster.nodes {
            node.start();
        }
        cluster.wait_until_ready().await;
        for number in 0..MERCHANTS {
            cluster.create_merchant(number).await;
        }
        cluster
    }

    /// Creates a merchant with its settings, its receiver and its endpoint.
    async fn create_merchant(&mut self, number: usize) {
        let name = format!("Shop {number}");
        let mut pair = self.json(&["merchant", "create", "--name", &name]);
        let id = pair["merchant_id"].as_str().unwrap().to_owned();
        let (capture, delay) = CaptureMode::of(number).settings();
        let settings = ["--capture", capture, "--capture-delay", delay];
        self.json(&[&["merchant", "set", &id], &settings[..]].concat());
        pair["simulator_url"] = json!(self.simulator.url());
        pair["base_url"] = json!(self.nodes[0].base());
        let receiver = Receiver::start(number, pair["api_secret"].as_str().unwrap()).await;
        let body = json!({ "url": receiver.url }).to_string();
        let shop = Shop::new(&pair);
        let set = shop.try_call("PUT", "/v1/webhook_endpoint", &body, None);
        let set = set.await.unwrap();
        assert_eq!(set.status, 200, "{set:?}");
        receiver.set_signing_secret(set.json()["signing_secret"].as_str().unwrap());
        self.merchants.push(pair);
        self.receivers.push(receiver);
    }

    /// The numbers of participants.
    pub(crate) fn participants(&self) -> Participants {
        Participants {
            nodes: self.nodes.len(),
            merchants: self.merchants.len(),
            has_links: self.nodes.iter().all(|node| node.link.is_some()),
        }
    }

    /// The origin of each node's API.
    pub(crate) fn bases(&self) -> Vec<String> {
        self.nodes.iter().map(Node::base).collect()
    }

    /// Runs an operator command.
    pub(crate) fn command(&self, arguments: &[&str]) -> Output {
        self.nodes[0].command(arguments)
    }

    /// The one JSON object that a command prints.
    fn json(&self, arguments: &[&str]) -> Value {
        let output = self.command(arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {errors}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Executes the faults of a plan.
    pub(crate) async fn run_faults(&self, plan: &RoundPlan) -> DisruptionCounts {
        let disruption_counts = DisruptionCounts::default();
        let nodes = self.nodes.iter().zip(&plan.nodes);
        let nodes =
            nodes.map(|(node, events)| self.run_node_events(node, events, &disruption_counts));
        let faults = async {
            for (duration, set) in &plan.faults {
                self.faults(set).await;
                disruption_counts.faults.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(*duration).await;
            }
        };
        let receivers = self.receivers.iter().zip(&plan.behaviors);
        let receivers = receivers.map(|(receiver, behaviors)| async move {
            for (duration, behavior) in behaviors {
                receiver.set_behavior(*behavior);
                tokio::time::sleep(*duration).await;
            }
            receiver.set_behavior(Behavior::healthy());
        });
        tokio::join!(join_all(nodes), faults, join_all(receivers));
        self.faults(&json!({})).await;
        disruption_counts
    }

    async fn run_node_events(
        &self,
        node: &Node,
        events: &[(Duration, Event)],
        disruption_counts: &DisruptionCounts,
    ) {
        for (delay, event) in events {
            tokio::time::sleep(*delay).await;
            match event {
                Event::Kill {
                    down,
                    again,
                    absent,
                } => {
                    kill(node, disruption_counts);
                    tokio::time::sleep(*down).await;
                    if let Some(duration) = absent {
                        self.start_without_database(node, *duration, disruption_counts)
                            .await;
                    } else {
                        node.start();
                    }
                    if let Some(again) = again {
                        tokio::time::sleep(*again).await;
                        kill(node, disruption_counts);
                        node.start();
                    }
                    self.ready(node).await;
                }
                Event::LinkFault { kind, duration } => {
                    let link = node.link.as_ref().expect("a link to break");
                    disruption_counts
                        .link_faults(*kind)
                        .fetch_add(1, Ordering::Relaxed);
                    link.set(Some(*kind)).await;
                    tokio::time::sleep(*duration).await;
                    link.set(None).await;
                }
            }
        }
    }

    /// Starts a node without a database: it must wait for it, live and not ready.
    async fn start_without_database(
        &self,
        node: &Node,
        duration: Duration,
        disruption_counts: &DisruptionCounts,
    ) {
        let link = node.link.as_ref().expect("a link to break");
        disruption_counts
            .link_faults(LinkFault::Absent)
            .fetch_add(1, Ordering::Relaxed);
        link.set(Some(LinkFault::Absent)).await;
        node.start();
        let until = Instant::now() + START_TIMEOUT;
        while !self.is_successful(node, "/healthz").await {
            node.assert_running();
            assert!(
                Instant::now() < until,
                "a node without a database is not live:\n{}",
                node.tail()
            );
            tokio::time::sleep(POLL_INTERVAL).await;
        }
        tokio::time::sleep(duration).await;
        node.assert_running();
        let is_ready = self.is_successful(node, "/readyz").await;
        assert!(
            !is_ready,
            "a node without a database reports that it is ready"
        );
        link.set(None).await;
    }

    async fn is_successful(&self, node: &Node, path: &str) -> bool {
        let asked = self.http.get(node.ops(path)).send().await;
        asked.is_ok_and(|response| response.status().is_success())
    }

    async fn faults(&self, set: &Value) {
        let url = format!("{}/v1/faults", self.simulator.url());
        let until = Instant::now() + START_TIMEOUT;
        // Fails while a fault has closed the simulator's port.
        loop {
            let put = self.http.put(&url).json(set).send().await;
            match put.and_then(reqwest::Response::error_for_status) {
                Ok(_) => return,
                Err(error) => assert!(Instant::now() < until, "the faults: {error}"),
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    /// Waits until a node is ready; panics if it has exited.
    async fn ready(&self, node: &Node) {
        let until = Instant::now() + START_TIMEOUT;
        while !self.is_successful(node, "/readyz").await {
            node.assert_running();
            assert!(
                Instant::now() < until,
                "a node is not ready after {START_TIMEOUT:?}:\n{}",
                node.tail()
            );
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    /// Waits until every node is ready.
    pub(crate) async fn wait_until_ready(&self) {
        for node in &self.nodes {
            self.ready(node).await;
        }
    }

    /// The response of each node's `/metrics`.
    pub(crate) async fn metrics(&self) -> Vec<String> {
        let mut all = Vec::new();
        for node in &self.nodes {
            let response = self.http.get(node.ops("/metrics")).send().await.unwrap();
            all.push(response.text().await.unwrap());
        }
        all
    }

    /// Kills all nodes, so that nothing changes while evidence is saved.
    pub(crate) fn stop_all(&self) {
        for node in &self.nodes {
            node.kill();
        }
    }

    /// The log lines that contain one of these ids.
    pub(crate) fn logs_about(&self, ids: &BTreeSet<&str>) -> String {
        let mut found = Vec::new();
        for node in &self.nodes {
            let log = node.log();
            let about = log
                .lines()
                .filter(|line| ids.iter().any(|id| line.contains(id)));
            found.extend(about.take(SHOWN_LINES).map(str::to_owned));
        }
        found.join("\n")
    }
}

fn kill(node: &Node, disruption_counts: &DisruptionCounts) {
    node.kill();
    disruption_counts.kills.fetch_add(1, Ordering::Relaxed);
}
