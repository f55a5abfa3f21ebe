//! Nodes on one database, with a simulator that keeps running.

use std::{
    process::{Command, ExitStatus},
    time::Duration,
};

use oncharge_psp_simulator::Running;
use serde_json::json;
use tempfile::TempDir;

pub(crate) use crate::shared::node::{MASTER, Node, PEPPER, free_port};
use crate::shared::{database::query_file, proxy::Proxy, simulator};

use super::{
    Shop,
    binary::{ONCHARGE, terminate},
    eventually,
};

/// A simulator, the proxy in front of it, and the settings that nodes share.
pub(crate) struct Cluster {
    pub(crate) simulator: Running,
    pub(crate) proxy: Proxy,
    dir: TempDir,
    database_url: Option<String>,
}

impl Cluster {
    /// With the database at this URL, or an embedded file.
    pub(crate) async fn start(database_url: Option<String>) -> Self {
        let dir = TempDir::new().unwrap();
        let simulator = simulator::start(dir.path().join("simulator.db")).await;
        Self {
            proxy: Proxy::start(simulator.url(), None),
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
            let lines = query_file(&file, open).await;
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
        let mut settings = vec![("PSP__DEFAULT__URL", &*self.proxy.url)];
        settings.extend(
            self.database_url
                .iter()
                .map(|url| ("DATABASE__URL", &**url)),
        );
        settings.extend(more);
        let dir = TempDir::new_in(self.dir.path()).unwrap().keep();
        Node::new(ONCHARGE.into(), dir, &settings)
    }

    /// Starts a node and waits until it is ready.
    pub(crate) async fn ready_node(&self, more: &[(&str, &str)]) -> Node {
        let node = self.node(more);
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

impl Node {
    /// Removes the settings whose names begin with this (`PSP__`).
    pub(crate) fn without(mut self, settings: &str) -> Self {
        let prefix = format!("ONCHARGE__{settings}");
        self.environment
            .retain(|(name, _)| !name.starts_with(&prefix));
        self
    }

    /// Starts one part of it: `api` or `worker`.
    pub(crate) fn start_as(&self, role: &str) {
        let mut command = Command::new(ONCHARGE);
        command.args(["serve", "--role", role]);
        self.spawn(command);
    }

    /// Starts it with a maximum file size, as on a full disk.
    pub(crate) fn start_with_file_size_limit(&self, kibibytes: u64) {
        let mut command = Command::new("sh");
        // The shell counts in blocks of 512 bytes.
        let script = r#"trap '' XFSZ; ulimit -f "$1"; exec "$2" serve"#;
        let blocks = (kibibytes * 2).to_string();
        command.args(["-c", script, "sh", &blocks, ONCHARGE]);
        self.spawn(command);
    }

    /// Waits until its log contains this text.
    pub(crate) async fn wait_for_log(&self, text: &str) {
        eventually(10, "the log", || async {
            let log = self.log();
            if log.contains(text) { Ok(()) } else { Err(log) }
        })
        .await;
    }

    /// Sends SIGTERM; returns the exit status and the time that the stop took.
    pub(crate) fn terminate(&self) -> (ExitStatus, Duration) {
        let mut child = self.child.lock().unwrap().take().unwrap();
        tokio::task::block_in_place(|| terminate(&mut child))
    }
}
