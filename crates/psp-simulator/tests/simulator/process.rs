//! The simulator as a process, killed with SIGKILL.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::idempotency::join_all;
use crate::sandbox::{APPROVED_CARD, BEARER, NOTIFICATION_KEY, Response, client, payment, send};

struct Program {
    child: Child,
    url: String,
    client: reqwest::Client,
}

impl Program {
    fn start(folder: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_oncharge-psp-simulator"))
            .args(["--port", "0", "--data-dir"])
            .arg(folder)
            .env("ONCHARGE_SIMULATOR_BEARER", BEARER)
            .env("ONCHARGE_SIMULATOR_NOTIFICATION_KEY", NOTIFICATION_KEY)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap())
            .read_line(&mut line)
            .unwrap();
        let ready: Value = serde_json::from_str(&line).unwrap();
        let url = ready["simulator_url"].as_str().unwrap().to_owned();
        Self {
            child,
            url,
            client: client(),
        }
    }

    /// Pays under `key`, which is also the reference; `None` if there is no response.
    async fn pay(&self, key: &str) -> Option<StatusCode> {
        let card =
            json!({"number": APPROVED_CARD, "exp_month": 12, "exp_year": 2040, "cvc": "123"});
        let token = self
            .client
            .post(format!("{}/v1/tokens", self.url))
            .json(&card);
        let token: Value = token.send().await.ok()?.json().await.ok()?;
        let body = payment(token["token"].as_str()?, json!({"reference": key}));
        let request = self.client.post(format!("{}/v1/payments", self.url));
        let request = request
            .bearer_auth(BEARER)
            .header("Idempotency-Key", key)
            .json(&body);
        request.send().await.ok().map(|response| response.status())
    }

    async fn get(&self, path: &str) -> Response {
        send(
            self.client
                .get(format!("{}{path}", self.url))
                .bearer_auth(BEARER),
        )
        .await
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn acknowledged_calls_survive_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = Program::start(folder.path());
    let keys: Vec<String> = (0..400).map(|n| format!("k{n}")).collect();
    let mut answered = Vec::new();
    for (round, batch) in keys.chunks(20).enumerate() {
        if round == 10 {
            // SIGKILL while a batch of calls is in progress.
            let calls = join_all(batch.iter().map(|key| first.pay(key)).collect());
            let killed = tokio::time::timeout(std::time::Duration::from_millis(3), calls).await;
            first.child.kill().unwrap();
            first.child.wait().unwrap();
            if let Ok(responses) = killed {
                answered.extend(
                    batch
                        .iter()
                        .zip(responses)
                        .filter(|(_, response)| response.is_some()),
                );
            }
            break;
        }
        let responses = join_all(batch.iter().map(|key| first.pay(key)).collect()).await;
        answered.extend(
            batch
                .iter()
                .zip(responses)
                .filter(|(_, response)| response.is_some()),
        );
    }
    assert!(
        answered.len() >= 200,
        "only {} calls got a response",
        answered.len()
    );

    let second = Program::start(folder.path());
    for (key, _) in &answered {
        let operation = second.get(&format!("/v1/operations/{key}")).await;
        assert_eq!(operation.result(), ("authorised", None), "{key}");
    }
    // All other calls are complete: each known call has one entry, and there are no others.
    let ledger = second.get("/v1/ledger").await;
    let entries = ledger.body["entries"].as_array().unwrap();
    for entry in entries {
        let key = entry["idempotency_key"].as_str().unwrap();
        let operation = second.get(&format!("/v1/operations/{key}")).await;
        assert_eq!(operation.result(), ("authorised", None), "{key}");
        let same = entries
            .iter()
            .filter(|other| other["idempotency_key"] == key)
            .count();
        assert_eq!(same, 1, "{key} is {same} times in the ledger");
    }
}

#[test]
fn non_loopback_addresses_require_secrets() {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_oncharge-psp-simulator"))
        .args(["--port", "0", "--bind", "0.0.0.0", "--data-dir"])
        .arg(folder.path())
        .env_remove("ONCHARGE_SIMULATOR_BEARER")
        .env_remove("ONCHARGE_SIMULATOR_NOTIFICATION_KEY")
        .output()
        .unwrap();
    assert!(!output.status.success());
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("ONCHARGE_SIMULATOR_BEARER"), "{text}");
}
