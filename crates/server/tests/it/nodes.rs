//! Several processes on one PostgreSQL database: one is killed, or they divide the work.

use std::time::Instant;

use serde_json::json;

use crate::{
    shared::proxy::Fault,
    support::{
        Cluster, Database, Shop, eventually, node::free_port, shop::GOOD_CARD, webhooks::Receiver,
    },
};

/// The lease in seconds, and the time for a worker to find and execute work.
const LEASE: u64 = 15;
const POLL_AND_WORK: u64 = 5;
const REFUNDS: i64 = 6;

async fn wait_for_member(
    shop: &Shop,
    id: &str,
    member: &str,
    value: serde_json::Value,
    seconds: u64,
) {
    eventually(seconds, &format!("{member} {value}"), || async {
        let session = shop.session(id).await;
        let is_so = session[member] == value;
        is_so.then_some(()).ok_or_else(|| session.to_string())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_node_finishes_the_work_of_a_killed_one() {
    let cluster = Cluster::start(Database::Postgres.fresh().await).await;
    // Notifications are dropped, so the other node has to look up the outcomes.
    let nowhere = format!("http://127.0.0.1:{}", free_port());
    let settings = [("PSP__DEFAULT__NOTIFY_URL", nowhere.as_str())];
    let first = cluster.ready_node(&settings).await;
    let second = cluster.ready_node(&settings).await;
    let shop = cluster.merchant(&first);
    let (refunded, capturing) = (shop.captured().await, shop.authorized().await);
    // The PSP executes the operations, but its responses are held back.
    cluster.proxy.set(Some(Fault::Mute)).await;
    let mut requests = Vec::new();
    for number in 0..REFUNDS {
        let body = json!({
            "session_id": refunded, "amount": 500, "currency": "EUR",
            "reference": format!("r-{number}"),
        });
        let shop = shop.clone();
        requests.push(tokio::spawn(async move {
            let body = body.to_string();
            let _ = shop.try_call("POST", "/v1/refunds", &body, None).await;
        }));
    }
    let target = format!("/v1/checkout/sessions/{capturing}/capture");
    requests.push(tokio::spawn({
        let shop = shop.clone();
        async move {
            let _ = shop.try_call("POST", &target, "{}", None).await;
        }
    }));
    eventually(10, "all operations at the PSP", || async {
        let refunds = shop.ledger_sum(&refunded, "refund").await;
        let captured = shop.ledger_sum(&capturing, "capture").await;
        let is_there = refunds == 500 * REFUNDS && captured == 10_000;
        is_there
            .then_some(())
            .ok_or_else(|| format!("{refunds} {captured}"))
    })
    .await;
    first.kill_9();
    cluster.proxy.set(None).await;
    let killed = Instant::now();
    for request in requests {
        request.await.unwrap();
    }

    let mut shop = shop;
    shop.base = second.base();
    let within = LEASE + POLL_AND_WORK;
    wait_for_member(&shop, &refunded, "amount_refunded", json!(3000), within).await;
    wait_for_member(&shop, &capturing, "status", json!("captured"), within).await;
    eventually(within, "every refund", || async {
        let list = shop
            .get(&format!("/v1/refunds?session_id={refunded}"))
            .await;
        let list = list.expect(200);
        let data = list["data"].as_array().unwrap();
        let are_done = data
            .iter()
            .all(|refund| refund["status"] == "refund_succeeded");
        are_done.then_some(()).ok_or_else(|| list.to_string())
    })
    .await;
    let took = killed.elapsed().as_secs();
    assert!(took <= within, "{took} s");
    // Nothing was executed twice.
    assert_eq!(shop.ledger_sum(&refunded, "refund").await, 3000);
    assert_eq!(shop.ledger_sum(&capturing, "capture").await, 10_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn api_and_worker_run_in_separate_processes() {
    let cluster = Cluster::start(Database::Postgres.fresh().await).await;
    let api = cluster.node(&[]);
    api.start_as("api");
    api.ready().await;
    let shop = cluster.merchant(&api);
    let receiver = Receiver::start();
    shop.set_endpoint(&receiver.url).await;
    let by_clock = json!({ "capture": "automatic" });
    let (id, pay_token) = shop.create(by_clock).await;
    let paid = shop.pay(&id, &pay_token, GOOD_CARD).await.expect(200);
    assert_eq!(paid["status"], "authorized");
    assert_eq!(
        receiver.events(),
        Vec::<String>::new(),
        "no delivery without a worker"
    );

    // Uses the API's port number, which a worker does not open.
    let worker = cluster.node(&[("NETWORK__PORT", &api.port.to_string())]);
    worker.start_as("worker");
    worker.ready().await;
    wait_for_member(&shop, &id, "status", json!("captured"), 20).await;
    let refund = json!({ "session_id": id, "amount": 400, "currency": "EUR", "reference": "r" });
    shop.post("/v1/refunds", &refund).await.expect(201);
    wait_for_member(&shop, &id, "amount_refunded", json!(400), 20).await;
    let wanted = [
        "payment.authorized",
        "payment.captured",
        "refund.requested",
        "refund.succeeded",
    ];
    eventually(20, "the deliveries", || async {
        let events = receiver.events();
        if events == wanted {
            Ok(())
        } else {
            Err(format!("{events:?}"))
        }
    })
    .await;
    assert!(worker.terminate().0.success());
    assert!(api.terminate().0.success());
}
