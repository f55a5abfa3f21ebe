//! `kill -9` between a call to the PSP and the storage of its response, for each kind of operation:
//! after a restart, ledger and API agree.

use serde_json::json;

use crate::{
    shared::proxy::Fault,
    support::{
        Cluster, Database, Shop, eventually,
        node::{Node, free_port},
        on_both,
        shop::GOOD_CARD,
    },
};

on_both!(authorization, capture, cancel, refund);

/// A node whose calls to the PSP can be interrupted, and its merchant.
struct CrashTest {
    cluster: Cluster,
    node: Node,
    shop: Shop,
}

impl CrashTest {
    async fn start(database: Database) -> Self {
        let cluster = Cluster::start(database.fresh().await).await;
        // Notifications are dropped, so recovery has to look up the outcome.
        let nowhere = format!("http://127.0.0.1:{}", free_port());
        let settings = [("PSP__DEFAULT__NOTIFY_URL", nowhere.as_str())];
        let node = cluster.ready_node(&settings).await;
        let shop = cluster.merchant(&node);
        Self {
            cluster,
            node,
            shop,
        }
    }

    /// Sends a request, kills the server once the PSP has executed it, and restarts the server.
    async fn crash_during(&self, request: impl Future<Output = ()> + Send + 'static) {
        let proxy = &self.cluster.proxy;
        proxy.set(Some(Fault::Mute)).await;
        let request = tokio::spawn(request);
        proxy.state.dropped_response.notified().await;
        self.node.kill_9();
        proxy.set(None).await;
        let _ = request.await;
        self.node.start();
        self.node.ready().await;
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
    let test = CrashTest::start(database).await;
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
}

async fn capture(database: Database) {
    crash_during_modification(database, "capture", "captured", "capture").await;
}

async fn cancel(database: Database) {
    crash_during_modification(database, "cancel", "cancelled", "void").await;
}

async fn authorization(database: Database) {
    let test = CrashTest::start(database).await;
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
}

async fn refund(database: Database) {
    let test = CrashTest::start(database).await;
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
}
