//! A simulator and merchants' servers that are never killed, the nodes, and the proxies to their
//! database.

use std::{
    collections::BTreeSet,
    process::Output,
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use oncharge_psp_simulator::Running;
use serde_json::{Value, json};

use crate::{
    behavior::Behavior,
    database_state::DatabaseState,
    disruption_counts::DisruptionCounts,
    node::Node,
    order_record::CaptureMode,
    plan::{Event, Participants, RoundPlan},
    receiver::Receiver,
    shared::{node::START_TIMEOUT, proxy::Fault, shop::Shop, simulator},
};

/// Number of merchants.
const MERCHANTS: usize = 6;
/// Maximum time until the simulator accepts requests again.
const FAULTS_TIMEOUT: Duration = Duration::from_secs(30);
/// Poll interval.
const POLL_INTERVAL: Duration = Duration::from_millis(20);
/// Number of log lines shown for a failure.
const SHOWN_LINES: usize = 120;

/// All processes and servers of a test.
pub(crate) struct Cluster {
    nodes: Vec<Node>,
    simulator: Running,
    http: reqwest::Client,
    /// For each merchant, the response of `merchant create`.
    pub(crate) merchants: Vec<Value>,
    /// For each merchant, its webhook receiver.
    pub(crate) receivers: Vec<Receiver>,
}

impl Cluster {
    /// Starts all processes and creates the merchants.
    pub(crate) async fn start(database_state: &DatabaseState, nodes: usize) -> Self {
        let simulator = simulator::start(database_state.simulator_file()).await;
        let nodes = 0..nodes;
        let nodes = nodes.map(|number| Node::new(database_state, simulator.url(), number));
        let http = reqwest::Client::builder().no_proxy();
        let mut cluster = Self {
            nodes: nodes.collect(),
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
        let mut pair = self.nodes[0].json(&["merchant", "create", "--name", &name]);
        let id = pair["merchant_id"].as_str().unwrap().to_owned();
        let (capture, delay) = CaptureMode::of(number).settings();
        let settings = ["--capture", capture, "--capture-delay", delay];
        self.nodes[0].json(&[&["merchant", "set", &id], &settings[..]].concat());
        pair["simulator_url"] = json!(self.simulator.url());
        pair["base_url"] = json!(self.nodes[0].base());
        let receiver = Receiver::start(number, pair["api_secret"].as_str().unwrap());
        let endpoint = Shop::new(&pair).set_endpoint(&receiver.url).await;
        receiver.set_signing_secret(endpoint["signing_secret"].as_str().unwrap());
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
        self.nodes.iter().map(|node| node.base()).collect()
    }

    /// Runs an operator command.
    pub(crate) fn command(&self, arguments: &[&str]) -> Output {
        self.nodes[0].command(arguments)
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
                    node.ready().await;
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
            .link_faults(Fault::Absent)
            .fetch_add(1, Ordering::Relaxed);
        link.set(Some(Fault::Absent)).await;
        node.start();
        node.wait_for_status("/healthz", 200, START_TIMEOUT).await;
        tokio::time::sleep(duration).await;
        node.assert_running();
        let (status, _) = node.ops("/readyz").await.unwrap();
        assert_eq!(status, 503, "a node without a database is ready");
        link.set(None).await;
    }

    async fn faults(&self, set: &Value) {
        let url = format!("{}/v1/faults", self.simulator.url());
        let until = Instant::now() + FAULTS_TIMEOUT;
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

    /// Waits until every node is ready.
    pub(crate) async fn wait_until_ready(&self) {
        for node in &self.nodes {
            node.ready().await;
        }
    }

    /// The response of each node's `/metrics`.
    pub(crate) async fn metrics(&self) -> Vec<String> {
        let mut all = Vec::new();
        for node in &self.nodes {
            let (_, metrics) = node.ops("/metrics").await.unwrap();
            all.push(metrics);
        }
        all
    }

    /// Kills all nodes, so that nothing changes while evidence is saved.
    pub(crate) fn stop_all(&self) {
        for node in &self.nodes {
            node.kill_9();
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
    node.kill_9();
    disruption_counts.kills.fetch_add(1, Ordering::Relaxed);
}
