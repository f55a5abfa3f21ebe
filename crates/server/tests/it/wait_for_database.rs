//! Start of a server whose database is absent or in an unexpected state.

use std::{
    net::TcpListener,
    process::{Command, Stdio},
    time::Duration,
};

use serde_json::json;
use tempfile::TempDir;

use crate::{
    shared::proxy::{Fault, Proxy},
    support::{
        Cluster, Database,
        binary::{ONCHARGE, data_dir},
        eventually,
        node::free_port,
        shop::order,
    },
};

/// A cluster whose database is unreachable; its URL contains a password.
async fn cluster_without_database() -> (Cluster, Proxy) {
    let url = Database::Postgres.fresh().await.unwrap();
    let mut database_proxy = Proxy::start(&url, Some(Fault::Absent));
    let (user, rest) = database_proxy.url.split_once('@').unwrap();
    let name = user.trim_start_matches("postgres://");
    let name = name.split(':').next().unwrap();
    database_proxy.url = format!("postgres://{name}:hunter2@{rest}");
    (
        Cluster::start(Some(database_proxy.url.clone())).await,
        database_proxy,
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_waits_for_its_database() {
    let (cluster, database_proxy) = cluster_without_database().await;
    let node = cluster.node(&[]);
    node.start();
    node.wait_for_status("/healthz", 200, 10).await;
    node.wait_for_log("database unreachable, retrying").await;
    let (status, _) = node.ops("/readyz").await.unwrap();
    assert_eq!(status, 503, "live, but not ready");
    let (_, metrics) = node.ops("/metrics").await.unwrap();
    assert!(metrics.contains("oncharge_store_up 0"), "{metrics}");
    let api = std::net::TcpStream::connect(("127.0.0.1", node.port));
    assert!(
        api.is_err(),
        "the API accepts connections before the database is ready"
    );

    database_proxy.set(None).await;
    node.ready().await;
    let shop = cluster.merchant(&node);
    shop.create(json!({})).await;
    let log = node.log();
    assert!(
        !log.contains("hunter2"),
        "the log contains the password:\n{log}"
    );
    assert!(node.terminate().0.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sandbox_waits_for_its_database() {
    let url = Database::Postgres.fresh().await.unwrap();
    let database_proxy = Proxy::start(&url, Some(Fault::Absent));
    let (dir, ops) = (TempDir::new().unwrap(), free_port().to_string());
    let ready_file = dir.path().join("ready.json");
    let mut command = Command::new(ONCHARGE);
    command
        .args([
            "dev",
            "--port",
            "0",
            "--simulator-port",
            "0",
            "--shop-port",
            "0",
        ])
        .args(["--ops-port", &ops, "--database-url", &database_proxy.url])
        .arg("--ready-file")
        .arg(&ready_file)
        .arg("--data-dir")
        .arg(data_dir(dir.path()))
        .current_dir(dir.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let _ = rustls::crypto::ring::default_provider().install_default();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let check_status = |path: &'static str, wanted: u16| {
        let request = http.get(format!("http://127.0.0.1:{ops}{path}"));
        async move {
            let response = request.send().await.map_err(|error| error.to_string())?;
            let status = response.status().as_u16();
            if status == wanted {
                Ok(())
            } else {
                Err(status.to_string())
            }
        }
    };
    eventually(20, "alive", || check_status("/healthz", 200)).await;
    eventually(1, "not ready", || check_status("/readyz", 503)).await;
    assert!(!ready_file.exists());
    database_proxy.set(None).await;
    eventually(30, "ready", || check_status("/readyz", 200)).await;
    eventually(10, "the ready file", || async {
        ready_file.exists().then_some(()).ok_or_else(String::new)
    })
    .await;
    child.kill().unwrap();
    child.wait().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_ends_the_wait_at_once() {
    let (cluster, _proxy) = cluster_without_database().await;
    let node = cluster.node(&[]);
    node.start();
    node.wait_for_log("database unreachable, retrying").await;
    let (status, took) = node.terminate();
    assert!(status.success(), "{status}");
    assert!(took < Duration::from_secs(2), "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_port_is_found_before_the_database() {
    let (cluster, _proxy) = cluster_without_database().await;
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    for setting in ["NETWORK__PORT", "NETWORK__OPS_PORT"] {
        let node = cluster.node(&[(setting, &port)]);
        let output = node.command(&["serve"]);
        assert_eq!(output.status.code(), Some(1), "{setting}");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(errors.contains(&port), "{errors}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn permanent_errors_end_the_start() {
    let url = Database::Postgres.fresh().await.unwrap();
    let (server, _) = url.rsplit_once('/').unwrap();
    let (_, host) = server.split_once('@').unwrap();
    let cluster = Cluster::start(Some(url.clone())).await;
    for (setting, value, expected) in [
        ("DATABASE__URL", format!("{server}/not_there"), "not_there"),
        (
            "DATABASE__URL",
            format!("postgres://nobody_here:hunter2@{host}/postgres"),
            "nobody_here",
        ),
        (
            "DATABASE__URL",
            "postgres://me:hunter2@host:port/x".to_owned(),
            "the database URL is invalid",
        ),
        ("KEYS__MASTER", "k1:short".to_owned(), "keys.master"),
    ] {
        let output = cluster.node(&[(setting, &value)]).command(&["serve"]);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{value}: {errors}");
        assert!(errors.contains(expected), "{value}: {errors}");
        assert!(!errors.contains("hunter2"), "{errors}");
    }
    // Another key than the one that sealed the stored values.
    let node = cluster.ready_node(&[]).await;
    cluster.merchant(&node).create(json!({})).await;
    assert!(node.terminate().0.success());
    let other = "k1:AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM=";
    let output = cluster.node(&[("KEYS__MASTER", other)]).command(&["serve"]);
    assert_eq!(output.status.code(), Some(1));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.contains("keys.master"), "{errors}");
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_do_not_wait() {
    let (cluster, _proxy) = cluster_without_database().await;
    let node = cluster.node(&[]);
    for command in [
        &["stuck"][..],
        &["migrate"],
        &["merchant", "create", "--name", "Shop"],
        &["reconcile", "--since", "24h"],
    ] {
        let output = node.command(command);
        assert_eq!(output.status.code(), Some(1), "{command:?}");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(errors.contains("cannot open the database"), "{errors}");
        assert!(!errors.contains("hunter2"), "{errors}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn four_nodes_migrate_an_empty_database_at_once() {
    let cluster = Cluster::start(Database::Postgres.fresh().await).await;
    let mut nodes = [(); 4].map(|()| cluster.node(&[]));
    for node in &mut nodes {
        node.start();
    }
    for node in &mut nodes {
        node.ready().await;
    }
    let shop = cluster.merchant(&nodes[0]);
    let (id, _) = shop.create(json!({})).await;
    for node in &nodes {
        let mut same = shop.clone();
        same.base = node.base();
        assert_eq!(same.session(&id).await["status"], "created");
        let body = order(json!({}));
        same.post("/v1/checkout/sessions", &body).await.expect(201);
    }
    let migrated: usize = nodes
        .iter()
        .map(|node| node.log().matches("migrated the database").count())
        .sum();
    let once = nodes
        .iter()
        .filter(|node| node.log().contains("migrated the database"))
        .count();
    assert!(migrated >= 1 && once == 1, "{once} nodes migrated");
}
