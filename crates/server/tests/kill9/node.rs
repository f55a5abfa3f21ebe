//! A node: an `oncharge serve` process that is started and killed, and its operator commands.

use std::{
    fs,
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    sync::Mutex,
};

use crate::{database_link::DatabaseLink, database_state::DatabaseState};

const MASTER: &str = "k1:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
const PEPPER: &str = "p1:AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=";
/// Long enough for recovery to look up a killed node's attempts before their sessions expire
/// (afterwards an attempt that was never sent fails only a minute later), short enough for sessions
/// to expire within a round.
const SESSION_TTL_SECONDS: u32 = 24;

/// An `oncharge serve` process.
pub(crate) struct Node {
    program: PathBuf,
    environment: Vec<(String, String)>,
    port: u16,
    ops_port: u16,
    dir: PathBuf,
    log: PathBuf,
    pub(crate) link: Option<DatabaseLink>,
    child: Mutex<Option<Child>>,
}

impl Node {
    /// A node that is not started yet.
    pub(crate) fn make(database_state: &DatabaseState, simulator: &str, number: usize) -> Self {
        let dir = database_state.dir.path().join(format!("node-{number}"));
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
            ("WEBHOOKS__CLOCK", "fast".to_owned()),
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
        let mut link = None;
        if let Some(url) = database_state.url() {
            let config: tokio_postgres::Config = url.parse().unwrap();
            let [tokio_postgres::config::Host::Tcp(host)] = config.get_hosts() else {
                panic!("the database link needs one TCP host");
            };
            let port = config.get_ports().first().copied().unwrap_or(5432);
            let target = format!("{host}:{port}");
            let made = DatabaseLink::start(target.clone());
            let url = url.replace(&target, &made.address.to_string());
            environment.push(("ONCHARGE__DATABASE__URL".to_owned(), url));
            link = Some(made);
        }
        Self {
            program: database_state.program(),
            environment,
            port,
            ops_port,
            log: dir.join("log"),
            dir: if link.is_some() {
                dir
            } else {
                database_state.data_dir()
            },
            link,
            child: Mutex::new(None),
        }
    }

    pub(crate) fn start(&self) {
        let log = fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(&self.log)
            .unwrap();
        let child = Command::new(&self.program)
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

    /// Kills the process with SIGKILL.
    pub(crate) fn kill(&self) {
        self.assert_running();
        if let Some(mut child) = self.child.lock().unwrap().take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    pub(crate) fn assert_running(&self) {
        let mut child = self.child.lock().unwrap();
        let ended = child.as_mut().and_then(|child| child.try_wait().unwrap());
        if let Some(status) = ended {
            panic!("a node exited with {status}:\n{}", self.tail());
        }
    }

    pub(crate) fn tail(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }

    /// The origin of its API.
    pub(crate) fn base(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The origin of its operators' port.
    pub(crate) fn ops(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.ops_port)
    }

    /// The log so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Runs a command on the same data. The database link is a task that this thread must not block
    /// meanwhile.
    pub(crate) fn command(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(&self.program);
        command
            .args(arguments)
            .arg("--data-dir")
            .arg(&self.dir)
            .envs(self.environment.iter().cloned());
        tokio::task::block_in_place(|| command.output().unwrap())
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
