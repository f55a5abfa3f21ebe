//! An `oncharge serve` process, and commands with its settings.

use std::{
    fs,
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    sync::{
        Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::Value;

use super::simulator;

pub(crate) const MASTER: &str = "k1:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
pub(crate) const PEPPER: &str = "p1:AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=";
/// Maximum number of seconds until a node is ready.
pub(crate) const START_TIMEOUT: u64 = 30;
/// Time limit of a request to the operators' port.
const OPS_TIMEOUT: Duration = Duration::from_secs(10);
/// Number of log lines shown for a failure.
const SHOWN_LINES: usize = 200;

/// A process with its settings and working directory, in which it keeps the embedded database.
pub(crate) struct Node {
    pub(crate) port: u16,
    pub(crate) ops_port: u16,
    pub(crate) dir: PathBuf,
    pub(crate) program: PathBuf,
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) child: Mutex<Option<Child>>,
    http: reqwest::Client,
}

impl Node {
    /// A node that is not started yet, with these settings (`NETWORK__PORT`) besides those of all
    /// nodes.
    pub(crate) fn new(program: PathBuf, dir: PathBuf, settings: &[(&str, &str)]) -> Self {
        let (port, ops_port) = (free_port(), free_port());
        let all = [
            ("MODE", "sandbox"),
            ("NETWORK__PORT", &port.to_string()),
            ("NETWORK__OPS_PORT", &ops_port.to_string()),
            ("LIMITS__KEY_PER_SECOND", "5000"),
            ("LIMITS__KEY_BURST", "10000"),
            ("KEYS__MASTER", MASTER),
            ("KEYS__PEPPER", PEPPER),
            ("PSP__DEFAULT__CONNECTOR", "simulator"),
            ("PSP__DEFAULT__BEARER", simulator::BEARER),
            (
                "PSP__DEFAULT__NOTIFICATION_KEY",
                simulator::NOTIFICATION_KEY,
            ),
        ];
        let variable =
            |(name, value): &(&str, &str)| (format!("ONCHARGE__{name}"), (*value).into());
        let http = reqwest::Client::builder().no_proxy().timeout(OPS_TIMEOUT);
        fs::create_dir_all(&dir).unwrap();
        Self {
            port,
            ops_port,
            dir,
            program,
            environment: all.iter().chain(settings).map(variable).collect(),
            child: Mutex::new(None),
            http: http.build().unwrap(),
        }
    }

    /// The origin of its API.
    pub(crate) fn base(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Starts it without waiting.
    pub(crate) fn start(&self) {
        let mut command = Command::new(&self.program);
        command.arg("serve");
        self.spawn(command);
    }

    /// Runs a command as its process.
    pub(crate) fn spawn(&self, mut command: Command) {
        let log = fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(self.dir.join("log"))
            .unwrap();
        let child = command
            .envs(self.environment.iter().cloned())
            .current_dir(&self.dir)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        *self.child.lock().unwrap() = Some(child.unwrap());
    }

    /// Waits until it is ready.
    pub(crate) async fn ready(&self) {
        self.wait_for_status("/readyz", 200, START_TIMEOUT).await;
    }

    /// Waits until its operators' port responds with this status.
    pub(crate) async fn wait_for_status(&self, path: &str, status: u16, seconds: u64) {
        let until = Instant::now() + Duration::from_secs(seconds);
        loop {
            self.assert_running();
            let seen = self.ops(path).await.map(|(seen, _)| seen);
            if seen == Some(status) {
                return;
            }
            assert!(Instant::now() < until, "{path} is still {seen:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub(crate) fn assert_running(&self) {
        let mut child = self.child.lock().unwrap();
        let ended = child.as_mut().and_then(|child| child.try_wait().unwrap());
        drop(child);
        assert_eq!(ended, None, "a node has exited");
    }

    /// The response of its operators' port.
    pub(crate) async fn ops(&self, path: &str) -> Option<(u16, String)> {
        let url = format!("http://127.0.0.1:{}{path}", self.ops_port);
        let response = self.http.get(url).send().await.ok()?;
        let status = response.status().as_u16();
        Some((status, response.text().await.ok()?))
    }

    /// The log so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.dir.join("log")).unwrap_or_default()
    }

    /// Runs a command with the same settings.
    pub(crate) fn command(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(&self.program);
        command
            .args(arguments)
            .envs(self.environment.iter().cloned())
            .current_dir(&self.dir);
        // Proxies run as tasks, which this thread must not block.
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
    pub(crate) fn kill_9(&self) {
        self.assert_running();
        let mut child = self.child.lock().unwrap().take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Ok(Some(child)) = self.child.get_mut() {
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            let last = lines[lines.len().saturating_sub(SHOWN_LINES)..].join("\n");
            eprintln!("the last lines of the log of a failing test's node:\n{last}");
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
