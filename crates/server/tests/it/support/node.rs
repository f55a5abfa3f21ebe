//! `oncharge serve` in sandbox mode: nodes on one database, with a simulator that keeps running.

use std::{
    fs,
    net::TcpListener,
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use oncharge_psp_simulator as simulator;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Shop, binary::ONCHARGE, database, eventually, proxy::Proxy};

pub(crate) const MASTER: &str = "k1:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
pub(crate) const PEPPER: &str = "p1:AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=";
/// Maximum time until a node is ready.
const START: u64 = 30;

/// A simulator, the proxy in front of it, and the settings that nodes share.
pub(crate) struct Cluster {
    pub(crate) simulator: simulator::Running,
    pub(crate) proxy: Proxy,
    dir: TempDir,
    database_url: Option<String>,
}

impl Cluster {
    /// With the database at this URL, or an embedded file.
    pub(crate) async fn start(database_url: Option<String>) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let dir = TempDir::new().unwrap();
        let config = simulator::Config::new(
            dir.path().join("simulator.db"),
            simulator::Secret::new("bearer-of-the-test"),
            simulator::Secret::new("key-of-the-test"),
        );
        let simulator = simulator::start(config).await.unwrap();
        Self {
            proxy: Proxy::start(simulator.url()).await,
            simulator,
            dir,
            database_url,
        }
    }

    /// Waits until the PSP has nothing left to execute, reverse or send.
    pub(crate) async fn wait_for_idle_psp(&self, seconds: u64) {
        let open = "SELECT kind || ' ' || idempotency_key AS line FROM operations
                    WHERE due_at IS NOT NULL OR late_at IS NOT NULL
                    UNION ALL SELECT body FROM notifications WHERE delivered_at IS NULL";
        let file = self.dir.path().join("simulator.db");
        eventually(seconds, "an idle PSP", || async {
            let lines = tokio::task::block_in_place(|| database::query_file(&file, open));
            if lines.is_empty() {
                Ok(())
            } else {
                Err(format!("{} open, the first is {}", lines.len(), lines[0]))
            }
        })
        .await;
    }

    /// A node that is not started yet, with these additional settings (`NETWORK__PORT`).
    pub(crate) fn node(&self, more: &[(&str, &str)]) -> Node {
        let (port, ops_port) = (free_port(), free_port());
        let mut settings = vec![
            ("MODE", "sandbox".to_owned()),
            ("NETWORK__PORT", port.to_string()),
            ("NETWORK__OPS_PORT", ops_port.to_string()),
            ("LIMITS__KEY_PER_SECOND", "5000".to_owned()),
            ("LIMITS__KEY_BURST", "10000".to_owned()),
            ("KEYS__MASTER", MASTER.to_owned()),
            ("KEYS__PEPPER", PEPPER.to_owned()),
            ("PSP__DEFAULT__CONNECTOR", "simulator".to_owned()),
            ("PSP__DEFAULT__URL", self.proxy.url.clone()),
            ("PSP__DEFAULT__BEARER", "bearer-of-the-test".to_owned()),
            (
                "PSP__DEFAULT__NOTIFICATION_KEY",
                "key-of-the-test".to_owned(),
            ),
        ];
        if let Some(url) = &self.database_url {
            settings.push(("DATABASE__URL", url.clone()));
        }
        settings.extend(more.iter().map(|&(name, value)| (name, value.to_owned())));
        Node {
            dir: TempDir::new_in(self.dir.path()).unwrap(),
            port,
            ops_port,
            environment: settings
                .into_iter()
                .map(|(name, value)| (format!("ONCHARGE__{name}"), value))
                .collect(),
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
            child: None,
        }
    }

    /// Starts a node and waits until it is ready.
    pub(crate) async fn ready_node(&self, more: &[(&str, &str)]) -> Node {
        let mut node = self.node(more);
        node.start();
        node.ready().await;
        node
    }

    /// Creates a merchant whose requests go to this node, with automatic capture after a second.
    pub(crate) fn merchant(&self, node: &Node) -> Shop {
        let mut ready = node.json(&["merchant", "create", "--name", "Shop"]);
        let id = ready["merchant_id"].as_str().unwrap();
        node.json(&["merchant", "set", id, "--capture-delay", "1"]);
        ready["base_url"] = json!(node.base());
        ready["simulator_url"] = json!(self.simulator.url());
        Shop::new(&ready)
    }
}

/// An `oncharge serve` process.
pub(crate) struct Node {
    pub(crate) dir: TempDir,
    pub(crate) port: u16,
    pub(crate) ops_port: u16,
    environment: Vec<(String, String)>,
    http: reqwest::Client,
    child: Option<Child>,
}

impl Node {
    /// The origin of its API.
    pub(crate) fn base(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Removes the settings whose names begin with this (`PSP__`).
    pub(crate) fn without(mut self, settings: &str) -> Self {
        let prefix = format!("ONCHARGE__{settings}");
        self.environment
            .retain(|(name, _)| !name.starts_with(&prefix));
        self
    }

    /// Starts it without waiting.
    pub(crate) fn start(&mut self) {
        let mut command = Command::new(ONCHARGE);
        command.arg("serve");
        self.spawn(command);
    }

    /// Starts one part of it: `api` or `worker`.
    pub(crate) fn start_as(&mut self, role: &str) {
        let mut command = Command::new(ONCHARGE);
        command.args(["serve", "--role", role]);
        self.spawn(command);
    }

    /// Starts it with a maximum file size, as on a full disk.
    pub(crate) fn start_with_file_size_limit(&mut self, kibibytes: u64) {
        let mut command = Command::new("sh");
        // The shell counts in blocks of 512 bytes.
        let script = r#"trap '' XFSZ; ulimit -f "$1"; exec "$2" serve"#;
        let blocks = (kibibytes * 2).to_string();
        command.args(["-c", script, "sh", &blocks, ONCHARGE]);
        self.spawn(command);
    }

    fn spawn(&mut self, mut command: Command) {
        let log = fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(self.dir.path().join("log"))
            .unwrap();
        let child = command
            .envs(self.environment.iter().cloned())
            .current_dir(self.dir.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        self.child = Some(child.unwrap());
    }

    /// Waits until it is ready.
    pub(crate) async fn ready(&mut self) {
        self.wait_for_status("/readyz", 200, START).await;
    }

    /// Waits until its operators' port responds with this status.
    pub(crate) async fn wait_for_status(&mut self, path: &str, status: u16, seconds: u64) {
        let until = Instant::now() + Duration::from_secs(seconds);
        loop {
            if let Some(ended) = self.child.as_mut().unwrap().try_wait().unwrap() {
                panic!("the node ended with {ended}:\n{}", self.log());
            }
            let seen = self.ops(path).await.map(|(seen, _)| seen);
            if seen == Some(status) {
                return;
            }
            assert!(
                Instant::now() < until,
                "{path} is still {seen:?}:\n{}",
                self.log()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The response of its operators' port.
    pub(crate) async fn ops(&self, path: &str) -> Option<(u16, String)> {
        let url = format!("http://127.0.0.1:{}{path}", self.ops_port);
        let response = self.http.get(url).send().await.ok()?;
        let status = response.status().as_u16();
        Some((status, response.text().await.ok()?))
    }

    /// Waits until its log contains this text.
    pub(crate) async fn wait_for_log(&self, text: &str) {
        eventually(10, "the log", || async {
            let log = self.log();
            if log.contains(text) { Ok(()) } else { Err(log) }
        })
        .await;
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    /// Runs a command with the same settings.
    pub(crate) fn command(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(ONCHARGE);
        command
            .args(arguments)
            .envs(self.environment.iter().cloned())
            .current_dir(self.dir.path());
        // The proxies run as tasks, which this thread must not block.
        tokio::task::block_in_place(|| command.output().unwrap())
    }

    /// The one JSON object that a command prints.
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let output = self.command(arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {errors}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Kills the process with SIGKILL.
    pub(crate) fn kill_9(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Sends SIGTERM; returns the exit status and the time that the stop took.
    pub(crate) fn terminate(&mut self) -> (ExitStatus, Duration) {
        let started = Instant::now();
        let id = self.child.as_ref().unwrap().id().to_string();
        let kill = Command::new("kill").arg(id).status().unwrap();
        assert!(kill.success());
        (self.ended(), started.elapsed())
    }

    /// Waits until it exits without a signal.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        let mut child = self.child.take().unwrap();
        tokio::task::block_in_place(|| child.wait().unwrap())
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            eprintln!("the log of the failing test's node:\n{}", self.log());
        }
    }
}

/// A free port below the ephemeral range, from a range of its own for each test process, so that no
/// other process binds it before it is used.
pub(crate) fn free_port() -> u16 {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    loop {
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let offset = std::process::id().wrapping_mul(16).wrapping_add(count) % 20_000;
        let port = 10_000 + u16::try_from(offset).unwrap();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
