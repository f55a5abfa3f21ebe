//! Start, stop, restart, and the log while running.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    os::unix::fs::PermissionsExt,
    process::Command,
    time::Duration,
};

use serde_json::json;
use tempfile::TempDir;

use crate::support::{
    Cluster, Database, Dev,
    binary::{ONCHARGE, data_dir},
    on_both,
    shop::{GOOD_CARD, order},
};

on_both!(
    state_survives_a_kill,
    sigterm_stops_cleanly,
    nothing_secret_is_logged
);

async fn state_survives_a_kill(database: Database) {
    let mut dev = Dev::start(database, &[]).await;
    let merchant = dev.ready("merchant_id").to_owned();
    let key = dev.ready("api_key").to_owned();
    let id = dev.shop().authorized().await;
    dev.kill_9();
    dev.start_again();
    assert_eq!(dev.ready("merchant_id"), merchant);
    assert_eq!(dev.ready("api_key"), key);
    let shop = dev.shop();
    assert_eq!(shop.session(&id).await["status"], "authorized");
    let target = format!("/v1/checkout/sessions/{id}/capture");
    assert_eq!(
        shop.post(&target, &json!({})).await.expect(200)["status"],
        "captured"
    );
}

async fn sigterm_stops_cleanly(database: Database) {
    let mut dev = Dev::start(database, &[]).await;
    let shop = dev.shop();
    let id = shop.captured().await;
    shop.faults(json!({ "latency_ms": [700, 700] })).await;
    let order = json!({ "session_id": id, "amount": 100, "currency": "EUR", "reference": "r" });
    let refund = tokio::spawn({
        let shop = shop.clone();
        async move { shop.post("/v1/refunds", &order).await }
    });
    tokio::time::sleep(Duration::from_millis(250)).await;
    let (status, took) = tokio::task::block_in_place(|| dev.terminate());
    assert!(status.success(), "{status}\n{}", dev.log());
    assert!(took < Duration::from_secs(15), "{took:?}");
    refund.await.unwrap().expect(201);
}

async fn nothing_secret_is_logged(database: Database) {
    let dev = Dev::start(database, &[]).await;
    let shop = dev.shop();
    let contact = json!({
        "customer_email": "quiet@example.com",
        "customer_phone": "+15557654321",
        "reference": "card 4111 1111 1111 1111",
    });
    let (id, pay_token) = shop.create(contact).await;
    let page = format!("{}/checkout/{id}?token={pay_token}", shop.base);
    assert_eq!(shop.http.get(page).send().await.unwrap().status(), 200);
    let token = shop.token(GOOD_CARD).await;
    let body = json!({ "payment_method": token });
    shop.shopper(&id, &pay_token, "pay", &body)
        .await
        .expect(200);
    let bad = json!({ "payment_method": "4242424242424242" });
    let refused = shop.shopper(&id, &pay_token, "pay", &bad).await;
    assert!(!refused.body.contains("4242424242424242"));
    let wrong = order(json!({ "customer_email": "secret@" }));
    assert_eq!(shop.post("/v1/checkout/sessions", &wrong).await.status, 422);

    let secret = dev.ready("api_secret").to_owned();
    let files = |name: &str| fs::read_to_string(data_dir(dev.dir.path()).join(name)).unwrap();
    let keys = [
        files("master.key"),
        files("pepper.key"),
        files("simulator.key"),
    ]
    .join("\n");
    let mut hidden = vec![
        secret,
        pay_token,
        token,
        "quiet@example.com".to_owned(),
        "5557654321".to_owned(),
        "secret@".to_owned(),
        "4242424242424242".to_owned(),
        "4111 1111 1111 1111".to_owned(),
    ];
    hidden.extend(
        keys.split(['\n', ':'])
            .filter(|part| part.len() > 16)
            .map(str::to_owned),
    );
    let log = dev.log();
    for text in hidden {
        assert!(!log.contains(&text), "the log contains {text}:\n{log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_server_per_data_directory() {
    let dev = Dev::start(Database::Sqlite, &[]).await;
    let mut second = Command::new(ONCHARGE);
    second
        .arg("dev")
        .arg("--data-dir")
        .arg(data_dir(dev.dir.path()));
    for port in ["--port", "--simulator-port", "--ops-port", "--shop-port"] {
        second.args([port, "0"]);
    }
    let output = second.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("another server uses"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_explicit_port_is_never_replaced() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let dir = TempDir::new().unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let output = Command::new(ONCHARGE)
        .args(["dev", "--port", &port, "--data-dir"])
        .arg(dir.path().join("data"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains(&port));
}

#[test]
fn serve_refuses_to_start_without_keys() {
    let dir = TempDir::new().unwrap();
    let output = Command::new(ONCHARGE)
        .arg("serve")
        .current_dir(dir.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("ONCHARGE__KEYS__MASTER"));
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_can_be_replaced() {
    let mut dev = Dev::start(Database::Sqlite, &[]).await;
    let contact = json!({ "customer_email": "kept@example.com" });
    let (id, _) = dev.shop().create(contact).await;
    dev.kill_9();
    let file = data_dir(dev.dir.path()).join("master.key");
    let old = fs::read_to_string(&file).unwrap();
    let new = "k2:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
    fs::write(&file, format!("{new},{old}")).unwrap();
    for name in [
        "oncharge.db",
        "simulator.db",
        "simulator.db.lock",
        "sandbox.json",
        "simulator.url",
        "webhook-endpoint.json",
        "shop-webhooks.jsonl",
        "master.key",
    ] {
        let mode = fs::metadata(data_dir(dev.dir.path()).join(name))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    let resealed = dev.command(&["keys", "reseal"]).unwrap();
    assert!(!resealed.contains("\"resealed\":0"), "{resealed}");
    assert_eq!(
        dev.command(&["keys", "reseal"]).unwrap(),
        "{\"resealed\":0}"
    );
    fs::write(&file, new).unwrap();
    dev.start_again();
    assert_eq!(
        dev.shop().session(&id).await["customer"]["email"],
        "kept@example.com"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_requests_are_not_logged_as_errors() {
    let cluster = Cluster::start(None).await;
    let node = cluster.ready_node(&[]).await;
    let mut stream = TcpStream::connect(("127.0.0.1", node.port)).unwrap();
    stream.write_all(b"NONSENSE\r\n\r\n").unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    assert!(response.starts_with("HTTP/1.1 400"), "{response}");
    assert!(!node.log().contains("ERROR"), "{}", node.log());
}
