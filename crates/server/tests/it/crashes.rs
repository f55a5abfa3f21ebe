//! `kill -9` between a call to the PSP and the storage of its response, for each kind of operation:
//! after a restart, ledger and API agree.

use oncharge_psp_simulator as simulator;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{
    Database, Serve, Shop, eventually, node::free_port, on_both, proxy::Proxy, shop::GOOD_CARD,
};

on_both!(authorization, capture, cancel, refund);

const MASTER: &str = "k1:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
const PEPPER: &str = "p1:AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=";

/// A server, a simulator that keeps running, and a proxy between them.
struct CrashTest {
    serve: Serve,
    proxy: Proxy,
    shop: Shop,
    simulator: simulator::Running,
    _simulator_dir: TempDir,
}

impl CrashTest {
    async fn start(database: Database) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let simulator_dir = TempDir::new().unwrap();
        let (bearer, key) = ("bearer-of-the-test", "key-of-the-test");
        let config = simulator::Config::new(
            simulator_dir.path().join("simulator.db"),
            simulator::Secret::new(bearer),
            simulator::Secret::new(key),
        );
        let simulator = simulator::start(config).await.unwrap();
        let proxy = Proxy::start(simulator.url()).await;
        let (port, nowhere) = (free_port(), free_port());
        let mut variables = vec![
            ("MODE", "sandbox".to_owned()),
            ("NETWORK__PORT", port.to_string()),
            ("NETWORK__OPS_PORT", free_port().to_string()),
            ("KEYS__MASTER", MASTER.to_owned()),
            ("KEYS__PEPPER", PEPPER.to_owned()),
            ("PSP__DEFAULT__CONNECTOR", "simulator".to_owned()),
            ("PSP__DEFAULT__URL", proxy.url.clone()),
            ("PSP__DEFAULT__BEARER", bearer.to_owned()),
            ("PSP__DEFAULT__NOTIFICATION_KEY", key.to_owned()),
            // Notifications are dropped, so recovery has to look up the outcome.
            (
                "PSP__DEFAULT__NOTIFY_URL",
                format!("http://127.0.0.1:{nowhere}"),
            ),
        ];
        if let Some(url) = database.fresh().await {
            variables.push(("DATABASE__URL", url));
        }
        let serve = Serve::start(&variables);
        let made = serve.command(&["merchant", "create", "--name", "Shop"]);
        let mut ready: Value = serde_json::from_str(&made).unwrap();
        ready["base_url"] = json!(format!("http://127.0.0.1:{port}"));
        ready["simulator_url"] = json!(simulator.url());
        let shop = Shop::new(&ready);
        Self {
            serve,
            proxy,
            shop,
            simulator,
            _simulator_dir: simulator_dir,
        }
    }

    /// Sends a request, kills the server once the PSP has executed it, and restarts the server.
    async fn crash_during(&mut self, request: impl Future<Output = ()> + Send + 'static) {
        self.proxy.hold();
        let request = tokio::spawn(request);
        self.proxy.wait_until_reply_is_held().await;
        self.serve.kill_9();
        self.proxy.release();
        let _ = request.await;
        self.serve.start_again();
    }

    async fn wait_for_status(&self, id: &str, status: &str) {
        eventually(30, status, || async {
            let session = self.shop.session(id).await;
            if session["status"] == status {
                Ok(())
            } else {
                Err(session.to_string())
            }
        })
        .await;
    }
}

async fn crash_during_modification(database: Database, action: &str, status: &str, entry: &str) {
    let mut test = CrashTest::start(database).await;
    let id = test.shop.authorized().await;
    let (shop, target) = (
        test.shop.clone(),
        format!("/v1/checkout/sessions/{id}/{action}"),
    );
    let again = target.clone();
    test.crash_during(async move {
        let _ = shop.try_call("POST", &target, "{}", Some("key")).await;
    })
    .await;
    test.wait_for_status(&id, status).await;
    let ledger = test.shop.ledger(&id).await;
    assert_eq!(
        ledger,
        [("authorise".to_owned(), 10_000), (entry.to_owned(), 10_000)]
    );
    // The merchant has no response yet; repeating the request with its key returns it.
    let replay = test.shop.call("POST", &again, "{}", Some("key")).await;
    assert_eq!(replay.expect(200)["status"], status);
    assert!(replay.replayed);
    assert_eq!(test.shop.ledger(&id).await.len(), 2);
    test.simulator.stop().await;
}

async fn capture(database: Database) {
    crash_during_modification(database, "capture", "captured", "capture").await;
}

async fn cancel(database: Database) {
    crash_during_modification(database, "cancel", "cancelled", "void").await;
}

async fn authorization(database: Database) {
    let mut test = CrashTest::start(database).await;
    let (id, pay_token) = test.shop.create(json!({ "capture": "manual" })).await;
    let body = json!({ "payment_method": test.shop.token(GOOD_CARD).await });
    let (shop, url) = (
        test.shop.clone(),
        format!("{}/checkout/{id}/pay", test.shop.base),
    );
    test.crash_during(async move {
        let _ = shop
            .http
            .post(url)
            .bearer_auth(pay_token)
            .json(&body)
            .send()
            .await;
    })
    .await;
    test.wait_for_status(&id, "authorized").await;
    assert_eq!(
        test.shop.ledger(&id).await,
        [("authorise".to_owned(), 10_000)]
    );
    test.simulator.stop().await;
}

async fn refund(database: Database) {
    let mut test = CrashTest::start(database).await;
    let id = test.shop.captured().await;
    let order = json!({ "session_id": id, "amount": 4000, "currency": "EUR", "reference": "r" });
    let (shop, body) = (test.shop.clone(), order.to_string());
    let again = body.clone();
    test.crash_during(async move {
        let _ = shop
            .try_call("POST", "/v1/refunds", &body, Some("key"))
            .await;
    })
    .await;
    let replay = eventually(30, "the refund's response", || async {
        let response = test
            .shop
            .call("POST", "/v1/refunds", &again, Some("key"))
            .await;
        if response.status == 201 {
            Ok(response)
        } else {
            Err(response.body)
        }
    })
    .await;
    let target = format!(
        "/v1/refunds/{}",
        replay.json()["refund_id"].as_str().unwrap()
    );
    let refund = test.shop.get(&target).await.expect(200);
    assert_eq!(refund["status"], "refund_succeeded");
    assert_eq!(test.shop.ledger_sum(&id, "refund").await, 4000);
    assert_eq!(test.shop.session(&id).await["amount_refunded"], 4000);
    test.simulator.stop().await;
}
