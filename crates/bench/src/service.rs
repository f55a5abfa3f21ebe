//! The service under load: `oncharge dev` as a child process.

use std::{
    fs,
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use serde::Deserialize;

use crate::{gauges::Gauges, http, merchant::Merchant};

/// Time limit for the service to start.
const START_TIMEOUT: Duration = Duration::from_secs(30);
/// A rate limit in requests per second and key that no load reaches.
const NO_LIMIT: &str = "1000000";

/// A running sandbox, killed when it is dropped.
pub(crate) struct Service {
    child: Child,
    /// The sandbox's merchant.
    pub(crate) merchant: Merchant,
    /// The merchant id in a database, as hex digits.
    pub(crate) merchant_id: String,
    /// The address of the PSP simulator.
    pub(crate) simulator: SocketAddr,
    operators: SocketAddr,
}

/// The content of the service's ready file.
#[derive(Deserialize)]
struct Ready {
    base_url: String,
    simulator_url: String,
    ops_url: String,
    api_key: String,
    api_secret: String,
    merchant_id: String,
}

impl Service {
    /// Starts this binary on free ports with its data in `directory`, or on PostgreSQL if a URL is
    /// given. Sessions are captured together with their authorization.
    pub(crate) fn start(
        binary: &Path,
        directory: &Path,
        database_url: Option<&str>,
    ) -> anyhow::Result<Self> {
        fs::create_dir(directory)?;
        let (ready_file, log) = (directory.join("ready.json"), directory.join("log"));
        let mut command = Command::new(binary);
        command
            .arg("dev")
            .current_dir(directory)
            .env("ONCHARGE__LOG__FILTER", "warn");
        for port in ["--port", "--simulator-port", "--ops-port", "--shop-port"] {
            command.args([port, "0"]);
        }
        command.args(["--rate-limit", NO_LIMIT, "--capture-delay", "0"]);
        command.arg("--data-dir").arg(directory.join("data"));
        command.arg("--ready-file").arg(&ready_file);
        if let Some(url) = database_url {
            command.args(["--database-url", url]);
        }
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(&log)?);
        let mut child = command
            .spawn()
            .with_context(|| format!("{}", binary.display()))?;
        let ready = match wait_for(&mut child, &ready_file) {
            Ok(ready) => ready,
            Err(error) => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(error.context(fs::read_to_string(&log).unwrap_or_default()));
            }
        };
        let base = http::address(&ready.base_url)?;
        let (_, digits) = ready
            .merchant_id
            .rsplit_once('_')
            .context("the merchant's id")?;
        Ok(Self {
            child,
            merchant: Merchant::new(base, ready.api_key, &ready.api_secret),
            merchant_id: digits.to_owned(),
            simulator: http::address(&ready.simulator_url)?,
            operators: http::address(&ready.ops_url)?,
        })
    }

    /// The gauges of the service; `database` is the process id of PostgreSQL's first process.
    pub(crate) fn gauges(&self, database: Option<u32>) -> Gauges {
        Gauges {
            server: self.child.id(),
            database,
            operators: Some(self.operators),
        }
    }
}

fn wait_for(child: &mut Child, ready_file: &Path) -> anyhow::Result<Ready> {
    let deadline = Instant::now() + START_TIMEOUT;
    while !ready_file.exists() {
        if let Some(status) = child.try_wait()? {
            bail!("the service ended with {status}");
        }
        if Instant::now() > deadline {
            bail!(
                "the service is not ready after {} s",
                START_TIMEOUT.as_secs()
            );
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(serde_json::from_slice(&fs::read(ready_file)?)?)
}

impl Drop for Service {
    fn drop(&mut self) {
        // Its data is discarded, so no graceful shutdown is needed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
