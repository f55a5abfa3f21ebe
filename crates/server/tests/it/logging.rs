//! The content of the log in both formats, and data that must never appear in it.

use std::{
    collections::BTreeMap,
    fs,
    process::{Command, Stdio},
};

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{
    Cluster, Database, Shop,
    binary::ONCHARGE,
    eventually,
    node::{Node, free_port},
};

const CARD: &str = "4242424242424242";

/// The fields of a line; a duplicate name is an error.
#[derive(Debug)]
struct LogLine(BTreeMap<String, Value>);

impl<'de> Deserialize<'de> for LogLine {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = LogLine;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<LogLine, A::Error> {
                let mut members = BTreeMap::new();
                while let Some((name, value)) = map.next_entry::<String, Value>()? {
                    assert!(!members.contains_key(&name), "{name} occurs twice");
                    members.insert(name, value);
                }
                Ok(LogLine(members))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

impl LogLine {
    fn text(&self, name: &str) -> &str {
        self.0.get(name).and_then(Value::as_str).unwrap_or_default()
    }
}

/// The log of a node from start to stop, during which a merchant creates a session, searches, and a
/// webhook attempt fails; with the ids of merchant and session.
async fn run_and_log(format: &str) -> (Node, String, String) {
    let cluster = Cluster::start(Database::Postgres.fresh().await).await;
    let more = [("LOG__FORMAT", format), ("LOG__FILTER", "debug")];
    let node = cluster.ready_node(&more).await;
    let shop = cluster.merchant(&node);
    let nobody = format!(
        "http://127.0.0.1:{}/hook-hunter2?secret=hunter2",
        free_port()
    );
    shop.set_endpoint(&nobody).await;
    let order = json!({
        "reference": format!("card {CARD}"),
        "customer_email": "jane.doe@shopper.example",
        "metadata": {"note": CARD},
    });
    let (session, token) = shop.create(order).await;
    let page = format!("{}/checkout/{session}?token={token}", shop.base);
    assert!(
        shop.http
            .get(page)
            .send()
            .await
            .unwrap()
            .status()
            .is_success()
    );
    let search = format!("/v1/checkout/sessions?reference=card%20{CARD}&limit=3&{CARD}=1");
    shop.get(&search).await;
    let search = format!("/v1/checkout/sessions?reference=card%20{CARD}&limit=3");
    shop.get(&search).await.expect(200);
    let expire = format!("/v1/checkout/sessions/{session}/expire");
    shop.post(&expire, &json!({})).await.expect(200);
    node.wait_for_log("webhook attempt failed").await;
    assert!(node.terminate().0.success());
    let log = node.log();
    for secret in [
        "hunter2",
        CARD,
        "jane.doe",
        token.as_str(),
        "ocs_",
        "bearer-of-the-test",
        "key-of-the-test",
        // The directory in which this binary was built.
        "/registry/",
        ".rs",
        "/target",
        env!("CARGO_MANIFEST_DIR"),
    ] {
        assert!(!log.contains(secret), "{secret} is logged:\n{log}");
    }
    (node, log, session)
}

#[tokio::test(flavor = "multi_thread")]
async fn json_log_lines() {
    let (_node, log, session) = run_and_log("json").await;
    let lines: Vec<LogLine> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    for line in &lines {
        for name in ["timestamp", "level", "message", "target"] {
            assert!(!line.text(name).is_empty(), "{line:?}");
        }
    }
    let requests: Vec<_> = lines
        .iter()
        .filter(|line| line.text("message") == "answered")
        .collect();
    let of_route = |method: &str, route: &str| {
        let found = requests
            .iter()
            .rfind(|line| line.text("route") == route && line.text("method") == method);
        found.unwrap_or_else(|| panic!("no request of {method} {route}:\n{log}"))
    };
    let created = of_route("POST", "/v1/checkout/sessions");
    assert!(created.text("merchant").starts_with("mer_"), "{created:?}");
    assert!(created.text("key").starts_with("key_"), "{created:?}");
    assert_eq!(created.text("client"), "127.0.0.1");
    assert_eq!(created.text("session"), session);
    assert_eq!(created.0["status"], 201);
    assert!(created.0["micros"].is_u64(), "{created:?}");
    let listed = of_route("GET", "/v1/checkout/sessions");
    assert_eq!(listed.text("query"), "reference,limit");
    assert_eq!(listed.text("merchant"), created.text("merchant"));
    let shown = of_route("GET", "/checkout/{id}");
    assert_eq!(
        (shown.text("query"), shown.text("session")),
        ("token", session.as_str())
    );
    let ended = of_route("POST", "/v1/checkout/sessions/{id}/expire");
    assert_eq!(ended.text("session"), session);

    let failed = lines
        .iter()
        .find(|line| line.text("message") == "webhook attempt failed")
        .unwrap();
    assert_eq!(failed.text("level"), "WARN");
    assert_eq!(failed.text("merchant"), created.text("merchant"));
    assert!(failed.text("event").starts_with("evt_"), "{failed:?}");
    assert_eq!(failed.text("host"), "127.0.0.1");
    assert_eq!(failed.text("error"), "cannot_connect");
    assert!(failed.text("next_try_at").ends_with('Z'), "{failed:?}");

    let stop = lines
        .iter()
        .position(|line| line.text("message") == "stop requested")
        .unwrap();
    assert_eq!(lines[stop].text("signal"), "SIGTERM");
    let last = lines.last().unwrap().text("message");
    assert!(last.starts_with("stopped"), "{last}");
}

#[tokio::test(flavor = "multi_thread")]
async fn pretty_log_lines() {
    let (_node, log, session) = run_and_log("pretty").await;
    let created = log
        .lines()
        .find(|line| {
            line.contains("answered")
                && line.contains(r#"method="POST""#)
                && line.contains("status=201")
        })
        .unwrap_or_else(|| panic!("no line of the creation:\n{log}"));
    for part in [
        "merchant=mer_",
        "key=key_",
        "client=127.0.0.1",
        &session,
        "micros=",
    ] {
        assert!(created.contains(part), "{part}: {created}");
    }
    for part in ["signal=\"SIGTERM\"", "host=\"127.0.0.1\"", "stopped"] {
        assert!(log.contains(part), "{part}:\n{log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sandbox_logs_requests() {
    let dir = TempDir::new().unwrap();
    let (log, ready) = (dir.path().join("log"), dir.path().join("ready.json"));
    let mut command = Command::new(ONCHARGE);
    command.arg("dev").current_dir(dir.path());
    for port in ["--port", "--simulator-port", "--ops-port", "--shop-port"] {
        command.args([port, "0"]);
    }
    let mut child = command
        .arg("--ready-file")
        .arg(&ready)
        .stdout(Stdio::null())
        .stderr(fs::File::create(&log).unwrap())
        .spawn()
        .unwrap();
    let ready: Value = eventually(30, "the ready file", || async {
        let text = fs::read(&ready).map_err(|error| error.to_string())?;
        serde_json::from_slice(&text).map_err(|error| error.to_string())
    })
    .await;
    let shop = Shop::new(&ready);
    let (session, _) = shop.create(json!({})).await;
    eventually(10, "the log", || async {
        let log = fs::read_to_string(&log).unwrap();
        let is_there = log
            .lines()
            .any(|line| line.contains("answered") && line.contains(&session));
        if is_there { Ok(()) } else { Err(log) }
    })
    .await;
    child.kill().unwrap();
    child.wait().unwrap();
}
