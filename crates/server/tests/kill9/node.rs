//! The stage: a simulator that outlives everything, the nodes, and the lines to their database.

use std::{
    fmt, fs,
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{
        Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use oncharge_psp_simulator as simulator;
use serde_json::{Value, json};

use crate::{
    line::Line,
    plan::{Break, Event, RoundPlan},
    truth::Truth,
};

const ONCHARGE: &str = env!("CARGO_BIN_EXE_oncharge");
const MASTER: &str = "k1:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
const PEPPER: &str = "p1:AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=";
/// Long enough for recovery to find a killed node's attempts before their sessions expire (after
/// that an attempt that never left is believed lost only a minute later), short enough to see
/// sessions expire.
const SESSION_TTL_SECONDS: u32 = 24;
/// How long a node may take until it is ready.
const START: Duration = Duration::from_secs(30);
/// Log lines shown about a failure.
const SHOWN_LINES: usize = 120;

/// What a merchant captures by: `--capture` and `--capture-delay`.
const MERCHANTS: [(&str, &str); 3] = [("manual", "3600"), ("automatic", "1"), ("automatic", "0")];

/// Everything that a round plays on.
pub(crate) struct Stage {
    nodes: Vec<Node>,
    simulator: simulator::Running,
    http: reqwest::Client,
    /// For each merchant, what its shop is made from.
    pub(crate) merchants: Vec<Value>,
}

/// One `oncharge serve`.
struct Node {
    environment: Vec<(String, String)>,
    port: u16,
    ops_port: u16,
    dir: PathBuf,
    log: PathBuf,
    line: Option<Line>,
    child: Mutex<Option<Child>>,
}

/// What was done to the stage in a round.
#[derive(Default)]
pub(crate) struct Done {
    kills: AtomicU32,
    cuts: AtomicU32,
    mutes: AtomicU32,
    faults: AtomicU32,
}

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |count: &AtomicU32| count.load(Ordering::Relaxed);
        write!(
            f,
            "{} kills, {} times the database cut off and {} times mute, {} sets of faults",
            count(&self.kills),
            count(&self.cuts),
            count(&self.mutes),
            count(&self.faults)
        )
    }
}

impl Stage {
    /// Starts everything and makes the merchants.
    pub(crate) async fn set(truth: &Truth, nodes: usize) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let config = simulator::Config::new(
            truth.simulator_file(),
            simulator::Secret::new("bearer-of-the-test"),
            simulator::Secret::new("key-of-the-test"),
        );
        let simulator = simulator::start(config).await.unwrap();
        let mut made = Vec::new();
        for number in 0..nodes {
            made.push(Node::make(truth, simulator.url(), number).await);
        }
        let stage = Self {
            nodes: made,
            simulator,
            http: reqwest::Client::builder()
                .no_proxy()
                .timeout(Duration::from_secs(5))
                .build()
                .unwrap(),
            merchants: Vec::new(),
        };
        // One after the other: the first brings the schema.
        for node in &stage.nodes {
            node.start();
            stage.ready(node).await;
        }
        let merchants = MERCHANTS.map(|settings| stage.merchant(settings)).into();
        Self { merchants, ..stage }
    }

    fn merchant(&self, (capture, delay): (&str, &str)) -> Value {
        let node = &self.nodes[0];
        let mut pair = node.command(&["merchant", "create", "--name", capture]);
        let id = pair["merchant_id"].as_str().unwrap().to_owned();
        let settings = ["--capture", capture, "--capture-delay", delay];
        node.command(&[&["merchant", "set", &id], &settings[..]].concat());
        pair["simulator_url"] = json!(self.simulator.url());
        pair
    }

    /// The origin of each node's API.
    pub(crate) fn bases(&self) -> Vec<String> {
        let ports = self.nodes.iter().map(|node| node.port);
        ports
            .map(|port| format!("http://127.0.0.1:{port}"))
            .collect()
    }

    /// Plays the trouble of a plan.
    pub(crate) async fn trouble(&self, plan: &RoundPlan) -> Done {
        let done = Done::default();
        let nodes = self.nodes.iter().zip(&plan.nodes);
        let nodes = nodes.map(|(node, events)| self.suffer(node, events, &done));
        let faults = async {
            for (stays, set) in &plan.faults {
                self.faults(set).await;
                done.faults.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(*stays).await;
            }
        };
        tokio::join!(futures_util::future::join_all(nodes), faults);
        self.faults(&json!({})).await;
        done
    }

    async fn suffer(&self, node: &Node, events: &[(Duration, Event)], done: &Done) {
        for (alone, event) in events {
            tokio::time::sleep(*alone).await;
            match event {
                Event::Kill { down, again } => {
                    node.kill();
                    done.kills.fetch_add(1, Ordering::Relaxed);
                    tokio::time::sleep(*down).await;
                    node.start();
                    if let Some(again) = again {
                        tokio::time::sleep(*again).await;
                        node.kill();
                        done.kills.fetch_add(1, Ordering::Relaxed);
                        node.start();
                    }
                    self.ready(node).await;
                }
                Event::Line { how, lasts } => {
                    let line = node.line.as_ref().expect("a line to break");
                    let count = match how {
                        Break::Cut => &done.cuts,
                        Break::Mute => &done.mutes,
                    };
                    count.fetch_add(1, Ordering::Relaxed);
                    line.set(Some(*how));
                    tokio::time::sleep(*lasts).await;
                    line.set(None);
                }
            }
        }
    }

    async fn faults(&self, set: &Value) {
        let url = format!("{}/v1/faults", self.simulator.url());
        let until = Instant::now() + START;
        // While its door is closed by a fault, nobody gets through.
        loop {
            let put = self.http.put(&url).json(set).send().await;
            match put.and_then(reqwest::Response::error_for_status) {
                Ok(_) => return,
                Err(error) => assert!(Instant::now() < until, "the faults: {error}"),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until a node can work; fails where it has ended by itself.
    async fn ready(&self, node: &Node) {
        let url = format!("http://127.0.0.1:{}/readyz", node.ops_port);
        let until = Instant::now() + START;
        loop {
            node.assert_running();
            let asked = self.http.get(&url).send().await;
            if asked.is_ok_and(|answer| answer.status().is_success()) {
                return;
            }
            assert!(
                Instant::now() < until,
                "a node is not ready after {START:?}:\n{}",
                node.tail()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until every node can work.
    pub(crate) async fn all_well(&self) {
        for node in &self.nodes {
            self.ready(node).await;
        }
    }

    /// Ends all nodes, so that nothing moves while a failure is written down.
    pub(crate) fn stop_all(&self) {
        for node in &self.nodes {
            node.kill();
        }
    }

    /// The log lines that name an operation of this text.
    pub(crate) fn logs_about(&self, text: &str) -> String {
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let ids: Vec<&str> = words.filter(|word| word.starts_with("op_")).collect();
        let mut found = Vec::new();
        for node in &self.nodes {
            let log = fs::read_to_string(&node.log).unwrap();
            let about = log
                .lines()
                .filter(|line| ids.iter().any(|id| line.contains(id)));
            found.extend(about.take(SHOWN_LINES).map(str::to_owned));
        }
        found.join("\n")
    }
}

impl Node {
    async fn make(truth: &Truth, simulator: &str, number: usize) -> Self {
        let dir = truth.dir.path().join(format!("node-{number}"));
        fs::create_dir(&dir).unwrap();
        let (port, ops_port) = (free_port(), free_port());
        let settings = [
            ("MODE", "sandbox".to_owned()),
            ("NETWORK__PORT", port.to_string()),
            ("NETWORK__OPS_PORT", ops_port.to_string()),
            ("LIMITS__KEY_PER_SECOND", "5000".to_owned()),
            ("LIMITS__KEY_BURST", "10000".to_owned()),
            ("LIMITS__ADDRESS_PER_SECOND", "5000".to_owned()),
            ("LIMITS__ADDRESS_BURST", "10000".to_owned()),
            ("KEYS__MASTER", MASTER.to_owned()),
            ("KEYS__PEPPER", PEPPER.to_owned()),
            (
                "CHECKOUT__SESSION_TTL_SECONDS",
                SESSION_TTL_SECONDS.to_string(),
            ),
            ("PSP__DEFAULT__CONNECTOR", "simulator".to_owned()),
            ("PSP__DEFAULT__URL", simulator.to_owned()),
            ("PSP__DEFAULT__BEARER", "bearer-of-the-test".to_owned()),
            (
                "PSP__DEFAULT__NOTIFICATION_KEY",
                "key-of-the-test".to_owned(),
            ),
        ];
        let mut environment: Vec<_> = settings
            .map(|(name, value)| (format!("ONCHARGE__{name}"), value))
            .into();
        let mut line = None;
        if let Some(url) = truth.url() {
            let config: tokio_postgres::Config = url.parse().unwrap();
            let [tokio_postgres::config::Host::Tcp(host)] = config.get_hosts() else {
                panic!("the line needs one TCP host");
            };
            let port = config.get_ports().first().copied().unwrap_or(5432);
            let target = format!("{host}:{port}");
            let made = Line::to(target.clone()).await;
            let url = url.replace(&target, &made.address);
            environment.push(("ONCHARGE__DATABASE__URL".to_owned(), url));
            line = Some(made);
        }
        Self {
            environment,
            port,
            ops_port,
            log: dir.join("log"),
            dir: if line.is_some() {
                dir
            } else {
                truth.data_dir()
            },
            line,
            child: Mutex::new(None),
        }
    }

    fn start(&self) {
        let log = fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(&self.log)
            .unwrap();
        let child = Command::new(ONCHARGE)
            .arg("serve")
            .arg("--data-dir")
            .arg(&self.dir)
            .envs(self.environment.iter().cloned())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        *self.child.lock().unwrap() = Some(child);
    }

    /// SIGKILL, as a power cut would end it.
    fn kill(&self) {
        self.assert_running();
        if let Some(mut child) = self.child.lock().unwrap().take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    fn assert_running(&self) {
        let mut child = self.child.lock().unwrap();
        let ended = child.as_mut().and_then(|child| child.try_wait().unwrap());
        if let Some(status) = ended {
            panic!("a node ended by itself with {status}:\n{}", self.tail());
        }
    }

    fn tail(&self) -> String {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }

    /// Runs a command on the same data; the JSON that it prints. Its line to the database is one of
    /// the tasks that this thread must not hold up meanwhile.
    fn command(&self, arguments: &[&str]) -> Value {
        let mut command = Command::new(ONCHARGE);
        command
            .args(arguments)
            .arg("--data-dir")
            .arg(&self.dir)
            .envs(self.environment.iter().cloned());
        let output = tokio::task::block_in_place(|| command.output().unwrap());
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {errors}");
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(child) = self.child.lock().unwrap().as_mut() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}
