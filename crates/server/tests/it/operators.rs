//! Operator commands on a running server: stuck work, reconciliation, gauges, settings.

use std::{
    fs,
    process::{Command, Output},
};

use ring::hmac;
use serde_json::{Value, json};

use crate::support::{
    Cluster, Database, Dev, binary::ONCHARGE, binary::data_dir, eventually, on_both,
    webhooks::Receiver,
};

on_both!(
    stuck_work_is_listed_and_dismissed,
    stuck_notifications_are_dismissed_together,
    reconcile_finds_a_difference,
    queues_are_measured,
    the_shop_is_registered_unless_another_endpoint_is_set
);

/// A notification for this amount with the simulator's signature.
async fn post_notification(dev: &Dev, id: &str, amount: i64) -> u16 {
    let shop = dev.shop();
    let ledger = format!("{}/v1/ledger?reference={id}", shop.simulator);
    let ledger: Value = shop
        .http
        .get(ledger)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let entry = &ledger["entries"][0];
    let body = json!({
        "id": format!("evt_{amount}"),
        "type": "authorisation",
        "psp_reference": entry["psp_reference"],
        "reference": id,
        "idempotency_key": entry["idempotency_key"],
        "success": false,
        "amount": amount,
        "currency": "EUR",
        "reason": "card_declined",
        "created_at": entry["at"],
    })
    .to_string();
    let secrets = fs::read_to_string(data_dir(dev.dir.path()).join("simulator.key")).unwrap();
    let (_, key) = secrets.trim().split_once('\n').unwrap();
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes());
    let request = shop
        .http
        .post(format!("{}/webhooks/psp/simulator/default", shop.base))
        .header(
            "X-Psp-Signature",
            hex::encode(hmac::sign(&key, body.as_bytes())),
        )
        .body(body);
    request.send().await.unwrap().status().as_u16()
}

async fn stuck_work_is_listed_and_dismissed(database: Database) {
    let dev = Dev::start(database, &[]).await;
    let id = dev.shop().authorized().await;
    assert_eq!(dev.command(&["stuck"]).unwrap(), "", "nothing is stuck");
    // The amount differs from the operation's, so the notification must not be applied.
    assert_eq!(post_notification(&dev, &id, 1).await, 200);
    let line = eventually(10, "stuck work", || async {
        let listed = dev.command(&["stuck", "--limit", "5"]).unwrap();
        if listed.is_empty() {
            Err("nothing".to_owned())
        } else {
            Ok(listed)
        }
    })
    .await;
    let item: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(item["kind"], "notification", "{item}");
    assert_eq!(item["detail"], "mismatched", "{item}");
    assert_eq!(item["session_id"], json!(id), "{item}");
    assert!(
        item["age_seconds"].is_u64() && item["since"].is_string(),
        "{item}"
    );
    assert_eq!(dev.shop().session(&id).await["status"], "authorized");
    let metrics = metrics(&dev).await;
    assert!(
        metrics.contains("oncharge_stuck{kind=\"notification\"} 1"),
        "{metrics}"
    );

    let ntf = item["id"].as_str().unwrap();
    let dismissed = dev.command(&["stuck", "--dismiss", ntf]).unwrap();
    assert_eq!(
        dismissed,
        format!("{{\"dismissed\":true,\"id\":\"{ntf}\"}}")
    );
    assert_eq!(dev.command(&["stuck"]).unwrap(), "");
    let again = run(&dev, &["stuck", "--dismiss", ntf]);
    assert_eq!(again.status.code(), Some(1), "dismissed twice");
}

async fn stuck_notifications_are_dismissed_together(database: Database) {
    let dev = Dev::start(database, &[]).await;
    let id = dev.shop().authorized().await;
    assert_eq!(post_notification(&dev, &id, 2).await, 200);
    eventually(10, "more stuck work", || async {
        match dev.command(&["stuck"]).unwrap() {
            listed if listed.is_empty() => Err("nothing".to_owned()),
            _ => Ok(()),
        }
    })
    .await;
    let all = ["stuck", "--dismiss-all", "mismatched"];
    for (of, dismissed) in [
        (&["--before", "1h"][..], 0),
        (&["--account", "simulator/other"], 0),
        (&["--account", "simulator/default"], 1),
        (&[], 0),
    ] {
        let response = dev.command(&[&all[..], of].concat()).unwrap();
        assert_eq!(response, format!("{{\"dismissed\":{dismissed}}}"), "{of:?}");
    }
    for wrong in [
        &["stuck", "--dismiss", "cs_1"][..],
        &["stuck", "--limit", "0"],
        &["stuck", "--dismiss-all", "handled"],
        &[
            "stuck",
            "--dismiss-all",
            "mismatched",
            "--account",
            "simulator",
        ],
        &[
            "stuck",
            "--dismiss-all",
            "mismatched",
            "--before",
            "tomorrow",
        ],
        &["stuck", "--before", "1h"],
    ] {
        assert_eq!(run(&dev, wrong).status.code(), Some(2), "{wrong:?}");
    }
}

async fn reconcile_finds_a_difference(database: Database) {
    let dev = Dev::start(database, &[]).await;
    let shop = dev.shop();
    let id = shop.captured().await;
    let fine = run(&dev, &["reconcile", "--since", "24h"]);
    assert!(fine.status.success(), "{fine:?}");
    assert_eq!(String::from_utf8_lossy(&fine.stdout), "");
    let summary = String::from_utf8_lossy(&fine.stderr);
    assert!(
        summary.contains("2 operations compared, 0 differences"),
        "{summary}"
    );

    // The PSP reverses a refund, and the notification is dropped.
    shop.faults(json!({ "fail_late": ["refund"], "delay_notifications_ms": 600_000 }))
        .await;
    let order = json!({ "session_id": id, "amount": 700, "currency": "EUR", "reference": "r" });
    shop.post("/v1/refunds", &order).await.expect(201);
    let found = eventually(10, "a difference", || async {
        let output = run(&dev, &["reconcile", "--since", "1h"]);
        match output.status.code() {
            Some(1) => Ok(output),
            _ => Err(format!("{output:?}")),
        }
    })
    .await;
    let line = String::from_utf8(found.stdout).unwrap();
    let difference: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(difference["kind"], "refund", "{line}");
    assert_eq!(difference["session_id"], json!(id));
    assert_eq!(difference["account"], "simulator/default");
    assert_eq!(difference["ours"], "succeeded");
    assert_eq!(difference["theirs"], "refused");
    assert_eq!(
        difference["amount"],
        json!({ "value": 700, "currency": "EUR" })
    );
    let summary = String::from_utf8(found.stderr).unwrap();
    assert!(
        summary.contains("3 operations compared, 1 differences"),
        "{summary}"
    );

    let refund = difference["operation_id"].as_str().unwrap();
    let rest = run(&dev, &["reconcile", "--since", "1h", "--after", refund]);
    assert!(rest.status.success(), "{rest:?}");
    let summary = String::from_utf8(rest.stderr).unwrap();
    assert!(summary.contains("0 operations compared"), "{summary}");
    let unknown = format!("op_{}", "0".repeat(32));
    for after in [unknown.as_str(), "cs_1"] {
        let wrong = run(&dev, &["reconcile", "--since", "1h", "--after", after]);
        assert_eq!(wrong.status.code(), Some(2), "{after}: {wrong:?}");
    }

    // Before the first operation there is nothing to compare; an unreachable PSP is an error.
    let none = run(&dev, &["reconcile", "--since", "0h"]);
    assert!(none.status.success(), "{none:?}");
    shop.faults(json!({ "error_rate": 1 })).await;
    let failing_lookups = run(&dev, &["reconcile", "--since", "1h"]);
    assert_eq!(failing_lookups.status.code(), Some(1));
    let summary = String::from_utf8(failing_lookups.stderr).unwrap();
    assert!(summary.contains("3 could not be looked up"), "{summary}");
    let wrong = run(&dev, &["reconcile", "--since", "yesterday"]);
    assert_eq!(wrong.status.code(), Some(2));
}

async fn metrics(dev: &Dev) -> String {
    let url = format!("{}/metrics", dev.ready("ops_url"));
    let response = dev.shop().http.get(url).send().await.unwrap();
    response.text().await.unwrap()
}

async fn queues_are_measured(database: Database) {
    let dev = Dev::start(database, &[]).await;
    let shop = dev.shop();
    let id = shop.captured().await;
    shop.faults(json!({ "asynchronous": true, "delay_notifications_ms": 600_000 }))
        .await;
    let order = json!({ "session_id": id, "amount": 700, "currency": "EUR", "reference": "r" });
    shop.post("/v1/refunds", &order).await.expect(201);
    let metrics = metrics(&dev).await;
    assert!(metrics.contains("oncharge_store_up 1"), "{metrics}");
    for queue in ["operations", "deadlines", "inbox", "deliveries"] {
        for gauge in ["oncharge_queue_depth", "oncharge_queue_oldest_seconds"] {
            let line = format!("{gauge}{{queue=\"{queue}\"}}");
            assert!(metrics.contains(&line), "{line} in\n{metrics}");
        }
    }
    let waits = "oncharge_queue_depth{queue=\"operations\"} 1";
    assert!(metrics.contains(waits), "{metrics}");
}

async fn the_shop_is_registered_unless_another_endpoint_is_set(database: Database) {
    let mut dev = Dev::start(database, &[]).await;
    let endpoint = |dev: &Dev| {
        let shop = dev.shop();
        async move {
            let endpoint = shop.get("/v1/webhook_endpoint").await.expect(200);
            endpoint["url"].as_str().unwrap().to_owned()
        }
    };
    let of_shop = |dev: &Dev| format!("{}/webhooks/oncharge", dev.ready("demo_shop_url"));
    let first = of_shop(&dev);
    assert_eq!(endpoint(&dev).await, first);
    dev.kill_9();
    dev.start_again();
    assert_ne!(of_shop(&dev), first, "every start uses new ports");
    assert_eq!(endpoint(&dev).await, of_shop(&dev), "it has a new URL");

    let receiver = Receiver::start();
    dev.shop().set_endpoint(&receiver.url).await;
    dev.kill_9();
    dev.start_again();
    assert_eq!(endpoint(&dev).await, receiver.url, "a person's stays");

    let removed = dev
        .shop()
        .call("DELETE", "/v1/webhook_endpoint", "", None)
        .await;
    assert_eq!(removed.status, 204);
    dev.kill_9();
    dev.start_again();
    assert_eq!(endpoint(&dev).await, of_shop(&dev), "no endpoint was set");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ops_view_checks_hosts_and_samples_queues() {
    let cluster = Cluster::start(None).await;
    let names = ("NETWORK__OPS_HOSTS", "ops.example.com,ops");
    let node = cluster.ready_node(&[names]).await;
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let view = format!("http://127.0.0.1:{}/ops/", node.ops_port);
    for (host, status) in [
        ("ops.example.com:8443", 200),
        ("ops", 200),
        ("localhost", 200),
        ("ops.example.org", 421),
    ] {
        let response = http.get(&view).header("Host", host).send().await.unwrap();
        assert_eq!(response.status(), status, "{host}");
        let body = response.text().await.unwrap();
        let names_setting = body.contains("ONCHARGE__NETWORK__OPS_HOSTS");
        assert_eq!(names_setting, status == 421, "{host}: {body}");
    }
    // The first sample is taken at once, without a request.
    eventually(5, "the first sample", || async {
        let (_, page) = node.ops("/ops/").await.ok_or("no response")?;
        let is_there = page.contains("this process has measured since ");
        if is_there { Ok(()) } else { Err(page) }
    })
    .await;
    let wrong = cluster.node(&[("NETWORK__OPS_HOSTS", "https://ops.example.com")]);
    let checked = wrong.command(&["config", "check"]);
    let errors = String::from_utf8_lossy(&checked.stderr);
    assert!(
        !checked.status.success() && errors.contains("network.ops_hosts"),
        "{errors}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_arguments_exit_with_2() {
    let dev = Dev::start(Database::Sqlite, &[]).await;
    let id = dev.ready("merchant_id").to_owned();
    for wrong in [
        &["ban", "add", "--email", "no-address"][..],
        &["ban", "add", "--phone", "12"],
        &["ban", "add", "--email", "a@example.com", "--days", "0"],
        &["ban", "add"],
        &["ban", "revoke", "ban_1"],
        &["key", "create", "--merchant", "mer_1"],
        &["key", "list", "--merchant", "mer_1"],
        &["key", "revoke"],
        &["key", "revoke", "--all"],
        &["key", "revoke", "--id", "mer_1"],
        &["key", "revoke", "--all", "--merchant", "mer_1"],
        &["key", "revoke", "ock_1", "--merchant", "mer_1"],
        &["merchant", "set", &id],
        &["merchant", "set", "mer_1", "--capture", "manual"],
        &[
            "merchant",
            "set",
            &id,
            "--origins",
            "http://shop.example.com",
        ],
        &[
            "merchant",
            "set",
            &id,
            "--origins",
            "https://shop.example.com/path",
        ],
        &["merchant", "set", &id, "--accent", "pink"],
        &["merchant", "set", &id, "--accent-dark", "#c2185b"],
        &["merchant", "set", &id, "--logo", "Cargo.toml"],
        &["merchant", "create", "--name", ""],
        &["dev", "--webhook-clock", "slow"],
    ] {
        let output = run(&dev, wrong);
        assert_eq!(output.status.code(), Some(2), "{wrong:?}: {output:?}");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(!errors.contains("no-address"), "{errors}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_registered_origins_may_frame_the_checkout() {
    let dev = Dev::start(Database::Sqlite, &[]).await;
    let id = dev.ready("merchant_id").to_owned();
    let list = "https://Shop.example.com/,http://127.0.0.1:9";
    let set = dev
        .command(&["merchant", "set", &id, "--origins", list])
        .unwrap();
    let set: Value = serde_json::from_str(&set).unwrap();
    let origins = ["https://shop.example.com", "http://127.0.0.1:9"];
    assert_eq!(set["origins"], json!(origins));
    let shop = dev.shop();
    let (session, pay_token) = shop.create(json!({})).await;
    let page = format!("{}/checkout/{session}?token={pay_token}", shop.base);
    eventually(5, "the page's policy", || async {
        let response = shop.http.get(&page).send().await.unwrap();
        let policy = response.headers()["content-security-policy"]
            .to_str()
            .unwrap();
        let wanted = format!("frame-ancestors {}", origins.join(" "));
        policy
            .contains(&wanted)
            .then_some(())
            .ok_or_else(|| policy.to_owned())
    })
    .await;
}

/// Runs a command on the sandbox's data; returns its output whatever its exit code.
fn run(dev: &Dev, arguments: &[&str]) -> Output {
    let mut command = Command::new(ONCHARGE);
    command.args(arguments).args(dev.target());
    command.output().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn merchants_are_listed_shown_disabled_and_enabled() {
    let dev = Dev::start(Database::Sqlite, &[]).await;
    let id = dev.ready("merchant_id").to_owned();
    dev.merchant("Second");
    let listed = dev.command(&["merchant", "list"]).unwrap();
    let listed: Vec<Value> = listed
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(listed.len(), 2, "{listed:?}");
    assert_eq!(listed[1]["name"], "Second");
    let json = |arguments: &[&str]| -> Value {
        serde_json::from_str(&dev.command(arguments).unwrap()).unwrap()
    };
    assert_eq!(json(&["merchant", "show", &id]), listed[0]);
    let demand = ["--require-idempotency-key", "true"];
    let set = json(&[&["merchant", "set", &id][..], &demand].concat());
    assert_eq!(set["require_idempotency_key"], true);

    let shop = dev.shop();
    let order = json!({
        "amount": 1, "currency": "EUR", "reference": "r", "return_url": "https://shop.example.com/",
    });
    assert!(json(&["merchant", "disable", &id])["disabled_at"].is_string());
    let creates = async |wanted: u16| {
        eventually(5, "the merchant's state", || async {
            let response = shop.post("/v1/checkout/sessions", &order).await;
            if response.status == wanted {
                Ok(())
            } else {
                Err(format!("{response:?}"))
            }
        })
        .await;
    };
    creates(403).await;
    assert_eq!(
        json(&["merchant", "enable", &id])["disabled_at"],
        Value::Null
    );
    creates(201).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sign_uses_the_url_of_the_sandbox() {
    let dev = Dev::start(Database::Sqlite, &[]).await;
    let sign = |is_named: bool, variables: &[(&str, &str)]| {
        let mut command = Command::new(ONCHARGE);
        command.args(["sign", "GET", "/v1/refunds"]).env_clear();
        command.envs(variables.iter().copied());
        if is_named {
            command.arg("--data-dir").arg(data_dir(dev.dir.path()));
        }
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };
    let (base, key) = (dev.ready("base_url"), dev.ready("api_key"));
    let url = format!("'{base}/v1/refunds'");
    let variables = [
        ("ONCHARGE_URL", "https://pay.example.com/"),
        ("ONCHARGE_API_KEY", "ock_other"),
        ("ONCHARGE_API_SECRET", "ocs_other"),
    ];
    for variables in [&[][..], &variables] {
        let signed = sign(true, variables);
        assert!(signed.contains(&url) && signed.contains(key), "{signed}");
    }
    let signed = sign(false, &variables);
    for part in ["'https://pay.example.com/v1/refunds'", "ock_other"] {
        assert!(signed.contains(part), "{signed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn config_check_prints_the_settings_and_tests_the_database() {
    let url = Database::Postgres.fresh().await.unwrap();
    let dir = tempfile::TempDir::new().unwrap();
    let check = |url: &str| {
        let mut command = Command::new(ONCHARGE);
        command.args(["config", "check"]).current_dir(dir.path());
        command.env("ONCHARGE__DATABASE__URL", url);
        // Production mode rejects it.
        command.env_remove("ONCHARGE_TEST_POSTGRES_URL");
        for (name, byte) in [("MASTER", 7), ("PEPPER", 8)] {
            let key = format!("k1:{}", base64(&[byte; 32]));
            command.env(format!("ONCHARGE__KEYS__{name}"), key);
        }
        command.output().unwrap()
    };
    let good = check(&url);
    let shown = String::from_utf8(good.stdout).unwrap();
    let report: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(report["database"]["reachable"], true, "{report}");
    assert_eq!(report["settings"]["limits"]["address_connections"], 256);
    assert_eq!(report["settings"]["keys"]["master"], "****");
    assert_eq!(report["settings"]["database"]["url"], "****");
    assert!(good.status.success());
    let unreachable = check("postgres://someone:hunter2@127.0.0.1:9/oncharge");
    let report = [unreachable.stdout, unreachable.stderr].concat();
    let report = String::from_utf8_lossy(&report);
    assert_eq!(unreachable.status.code(), Some(1), "{report}");
    assert!(report.contains("\"reachable\":false"), "{report}");
    assert!(!report.contains("hunter2"), "{report}");
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}
