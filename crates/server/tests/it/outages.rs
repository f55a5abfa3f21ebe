//! The database becomes unreachable and reachable again; the server recovers without a restart.

use serde_json::json;

use crate::{
    shared::proxy::{Fault, Proxy},
    support::{Cluster, Database, eventually, shop::GOOD_CARD, shop::order},
};

#[tokio::test(flavor = "multi_thread")]
async fn the_server_recovers_from_a_database_outage() {
    let database_proxy = Proxy::start(&Database::Postgres.fresh().await.unwrap(), None);
    let cluster = Cluster::start(Some(database_proxy.url.clone())).await;
    let node = cluster.ready_node(&[]).await;
    let shop = cluster.merchant(&node);
    // The automatic capture of this session is due during the outage.
    let by_clock = json!({ "capture": "automatic" });
    let (id, pay_token) = shop.create(by_clock).await;
    let paid = shop.pay(&id, &pay_token, GOOD_CARD).await.expect(200);
    assert_eq!(paid["status"], "authorized");

    database_proxy.set(Some(Fault::Cut)).await;
    node.wait_for_status("/readyz", 503, 10).await;
    let (alive, _) = node.ops("/healthz").await.unwrap();
    assert_eq!(alive, 200);
    let (_, metrics) = node.ops("/metrics").await.unwrap();
    for line in [
        "oncharge_store_up 0",
        "oncharge_queue_depth{queue=\"inbox\"} NaN",
    ] {
        assert!(metrics.contains(line), "{line} in\n{metrics}");
    }
    let body = order(json!({})).to_string();
    let create = |key: &'static str| {
        let (shop, body) = (shop.clone(), body.clone());
        async move {
            let target = "/v1/checkout/sessions";
            shop.call("POST", target, &body, Some(key)).await
        }
    };
    let refused = create("while-away").await;
    assert_eq!(refused.expect(503)["error"], "busy");

    database_proxy.set(None).await;
    node.wait_for_status("/readyz", 200, 20).await;
    let (_, metrics) = node.ops("/metrics").await.unwrap();
    assert!(metrics.contains("oncharge_store_up 1"), "{metrics}");
    create("while-away").await.expect(201);
    eventually(30, "the clock's capture", || async {
        let session = shop.session(&id).await;
        let is_captured = session["status"] == "captured";
        is_captured.then_some(()).ok_or_else(|| session.to_string())
    })
    .await;
    assert_eq!(shop.ledger_sum(&id, "capture").await, 10_000);
    let list = shop.get("/v1/checkout/sessions").await.expect(200);
    assert_eq!(list["data"].as_array().unwrap().len(), 2, "{list}");
    assert!(node.terminate().0.success());
}
