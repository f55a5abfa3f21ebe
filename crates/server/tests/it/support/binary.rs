//! The `oncharge` binary as a child process.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;

use super::{Database, Shop};

/// The binary under test.
pub(crate) const ONCHARGE: &str = env!("CARGO_BIN_EXE_oncharge");

/// A sandbox in its own directory.
pub(crate) struct Dev {
    pub(crate) dir: TempDir,
    flags: Vec<String>,
    child: Child,
    ready: Value,
}

impl Dev {
    /// Starts `oncharge dev` on free ports and waits until all parts are ready.
    pub(crate) async fn start(database: Database, flags: &[&str]) -> Self {
        let dir = TempDir::new().unwrap();
        let mut flags: Vec<String> = flags.iter().map(ToString::to_string).collect();
        if let Some(url) = database.fresh().await {
            flags.extend(["--database-url".to_owned(), url]);
        }
        let (child, ready) = launch(dir.path(), &flags);
        Self {
            dir,
            flags,
            child,
            ready,
        }
    }

    /// The sandbox's merchant, with a shopper and the PSP's ledger.
    pub(crate) fn shop(&self) -> Shop {
        Shop::new(&self.ready)
    }

    /// Creates another merchant in this sandbox.
    pub(crate) fn merchant(&self, name: &str) -> Shop {
        let made = self.command(&["merchant", "create", "--name", name]);
        let mut ready: Value = serde_json::from_str(&made.unwrap()).unwrap();
        for url in ["base_url", "simulator_url"] {
            ready[url] = self.ready[url].clone();
        }
        Shop::new(&ready)
    }

    /// A field of the ready file.
    pub(crate) fn ready(&self, name: &str) -> &str {
        self.ready[name].as_str().unwrap()
    }

    /// Kills the process with SIGKILL.
    pub(crate) fn kill_9(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again on the same data.
    pub(crate) fn start_again(&mut self) {
        let (child, ready) = launch(self.dir.path(), &self.flags);
        (self.child, self.ready) = (child, ready);
    }

    /// Sends SIGTERM; returns the exit status and the time that the stop took.
    pub(crate) fn terminate(&mut self) -> (ExitStatus, Duration) {
        terminate(&mut self.child)
    }

    /// The log so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap()
    }

    /// The flags that select its data for a command.
    pub(crate) fn target(&self) -> Vec<String> {
        let dir = data_dir(self.dir.path()).to_str().unwrap().to_owned();
        let mut flags = vec!["--data-dir".to_owned(), dir];
        if let Some(at) = self.flags.iter().position(|flag| flag == "--database-url") {
            flags.extend_from_slice(&self.flags[at..=at + 1]);
        }
        flags
    }

    /// Runs a command on the same data; returns its standard output.
    pub(crate) fn command(&self, arguments: &[&str]) -> Result<String, String> {
        let mut command = Command::new(ONCHARGE);
        command.args(arguments).args(self.target());
        let output = command.output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        if output.status.success() {
            Ok(text(&output.stdout))
        } else {
            Err(text(&output.stderr))
        }
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("the log of the failing test's server:\n{}", self.log());
        }
    }
}

/// The parent directory of the tests' data.
pub(crate) fn data_dir(dir: &Path) -> PathBuf {
    dir.join("data")
}

fn launch(dir: &Path, flags: &[String]) -> (Child, Value) {
    let ready_file = dir.join("ready.json");
    let _ = fs::remove_file(&ready_file);
    let log = fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(dir.join("log"))
        .unwrap();
    let mut command = Command::new(ONCHARGE);
    command
        .arg("dev")
        .current_dir(dir)
        .arg("--data-dir")
        .arg(data_dir(dir));
    for port in ["--port", "--simulator-port", "--ops-port", "--shop-port"] {
        command.args([port, "0"]);
    }
    command.arg("--ready-file").arg(&ready_file).args(flags);
    command.env("ONCHARGE__LOG__FILTER", "debug");
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log);
    let mut child = command.spawn().unwrap();
    wait_for_file(&mut child, &ready_file, dir);
    let ready = serde_json::from_slice(&fs::read(&ready_file).unwrap()).unwrap();
    (child, ready)
}

fn wait_for_file(child: &mut Child, ready_file: &Path, dir: &Path) {
    let until = Instant::now() + Duration::from_secs(30);
    while !ready_file.exists() {
        let log = || fs::read_to_string(dir.join("log")).unwrap_or_default();
        if let Some(status) = child.try_wait().unwrap() {
            panic!("oncharge ended with {status}:\n{}", log());
        }
        assert!(
            Instant::now() < until,
            "oncharge is not ready after 30 s:\n{}",
            log()
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Sends SIGTERM; returns the exit status and the time that the stop took.
pub(crate) fn terminate(child: &mut Child) -> (ExitStatus, Duration) {
    let started = Instant::now();
    let kill = Command::new("kill")
        .arg(child.id().to_string())
        .status()
        .unwrap();
    assert!(kill.success());
    (child.wait().unwrap(), started.elapsed())
}
