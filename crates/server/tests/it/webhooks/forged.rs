//! Forged PSP notifications, signed with the real key of an account: none changes anything, and
//! those with a valid signature are listed as stuck.

use ring::hmac;
use serde_json::{Value, json};

use crate::support::{
    Cluster, Database, Shop, audit, eventually, node::Node, on_both, shop::GOOD_CARD,
};

on_both!(a_forged_notification_changes_nothing);

/// The signing keys of the two accounts.
const KEY: &str = "key-of-the-test";
const OTHER_KEY: &str = "key-of-another-account";

/// A payment whose outcome is unknown because the PSP's notification and look-ups are suppressed,
/// so an accepted forgery would decide it.
struct PendingPayment {
    session: String,
    operation: String,
    reference: Value,
}

impl PendingPayment {
    async fn new(shop: &Shop) -> Self {
        let lost_responses =
            json!({ "drop_after_work_rate": 1, "delay_notifications_ms": 600_000 });
        shop.faults(lost_responses).await;
        let (session, pay_token) = shop.create(json!({ "capture": "manual" })).await;
        let paid = shop.pay(&session, &pay_token, GOOD_CARD).await.expect(200);
        assert_eq!(paid["status"], "pending", "{paid}");
        let failing_lookups = json!({ "error_rate": 1, "delay_notifications_ms": 600_000 });
        shop.faults(failing_lookups).await;
        let ledger = format!("{}/v1/ledger?reference={session}", shop.simulator);
        let response = shop.http.get(ledger).send().await.unwrap();
        let ledger: Value = response.json().await.unwrap();
        let entry = &ledger["entries"][0];
        Self {
            operation: entry["idempotency_key"].as_str().unwrap().to_owned(),
            reference: entry["psp_reference"].clone(),
            session,
        }
    }

    /// A notification that it was declined, with these fields changed.
    fn declined(&self, id: &str, changes: Value) -> String {
        let mut body = json!({
            "id": id,
            "type": "authorisation",
            "psp_reference": self.reference,
            "reference": self.session,
            "idempotency_key": self.operation,
            "success": false,
            "amount": 10_000,
            "currency": "EUR",
            "reason": "card_declined",
            "created_at": "2026-11-22T10:00:00Z",
        });
        if let (Value::Object(body), Value::Object(changes)) = (&mut body, changes) {
            body.extend(changes);
        }
        body.to_string()
    }
}

/// Sends it to an account's webhook URL, signed with a key; returns the status of the response.
async fn send(shop: &Shop, account: &str, key: &str, body: &str) -> u16 {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes());
    let signature = hex::encode(hmac::sign(&key, body.as_bytes()));
    let url = format!("{}/webhooks/psp/simulator/{account}", shop.base);
    let request = shop.http.post(url).header("X-Psp-Signature", signature);
    let response = request.body(body.to_owned()).send().await.unwrap();
    response.status().as_u16()
}

/// Waits until `oncharge stuck` lists this many items; returns them.
async fn listed(node: &Node, many: usize) -> Vec<Value> {
    eventually(10, &format!("{many} stuck notifications"), || async {
        let output = node.command(&["stuck"]);
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
        let listed: Vec<Value> = lines
            .filter(|item: &Value| item["kind"] == "notification")
            .collect();
        if listed.len() == many {
            Ok(listed)
        } else {
            Err(text)
        }
    })
    .await
}

/// Checks the gauges: each mismatched notification was sent twice, and so was the waiting one.
async fn assert_metrics(node: &Node, mismatched: usize) {
    let (_, metrics) = node.ops("/metrics").await.unwrap();
    for line in [
        format!("oncharge_psp_notifications_total{{outcome=\"mismatched\"}} {mismatched}"),
        format!(
            "oncharge_psp_notifications_total{{outcome=\"duplicate\"}} {}",
            mismatched + 1
        ),
        "oncharge_psp_notifications_total{outcome=\"unverified\"} 1".to_owned(),
        // The gauge is sampled periodically, so it may lag.
        "oncharge_queue_depth{queue=\"inbox\"} 1".to_owned(),
    ] {
        assert!(metrics.contains(&line), "{line} in\n{metrics}");
    }
}

async fn a_forged_notification_changes_nothing(database: Database) {
    let url = database.fresh().await;
    let cluster = Cluster::start(url.clone()).await;
    let settings = [
        ("PSP__OTHER__CONNECTOR", "simulator"),
        ("PSP__OTHER__URL", cluster.proxy.url.as_str()),
        ("PSP__OTHER__BEARER", "bearer-of-the-test"),
        ("PSP__OTHER__NOTIFICATION_KEY", OTHER_KEY),
    ];
    let node = cluster.ready_node(&settings).await;
    let (shop, other_shop) = (cluster.merchant(&node), cluster.merchant(&node));
    let (other_session, _) = other_shop.create(json!({})).await;
    let payment = PendingPayment::new(&shop).await;
    let unknown_operation = "op_018f0000000070008000000000000001";

    let forged = payment.declined("forged-1", json!({}));
    assert_eq!(send(&shop, "default", OTHER_KEY, &forged).await, 401);
    let correctly_signed = [
        ("other", OTHER_KEY, json!({})),
        ("default", KEY, json!({ "amount": 1 })),
        ("default", KEY, json!({ "currency": "USD" })),
        ("default", KEY, json!({ "reference": other_session })),
        (
            "default",
            KEY,
            json!({ "idempotency_key": unknown_operation }),
        ),
    ];
    let mismatched = correctly_signed.len() - 1;
    // Each is sent twice, as PSPs do.
    for _ in 0..2 {
        for (number, (account, key, changes)) in correctly_signed.iter().enumerate() {
            let id = format!("forged-{}", number + 2);
            let body = payment.declined(&id, changes.clone());
            let status = send(&shop, account, key, &body).await;
            assert_eq!(status, 200, "{account}: {changes}");
        }
    }

    for item in listed(&node, mismatched).await {
        assert_eq!(item["detail"], "mismatched", "{item}");
        assert_eq!(item["session_id"], json!(payment.session), "{item}");
    }
    let file = node.dir.join(".oncharge/oncharge.db");
    let entered = audit::actions(url.as_deref(), &file).await;
    let audited = entered
        .iter()
        .filter(|it| **it == "notification_mismatched");
    assert_eq!(audited.count(), mismatched, "{entered:?}");
    assert_metrics(&node, mismatched).await;
    assert_eq!(shop.session(&payment.session).await["status"], "pending");
    assert_eq!(
        other_shop.session(&other_session).await["status"],
        "created"
    );
    for (shop, session) in [(&shop, &payment.session), (&other_shop, &other_session)] {
        let events = shop.events(session).await;
        assert!(events.is_empty(), "{events:?}");
    }

    // The same notification is accepted where all of its values match.
    let genuine = payment.declined("genuine", json!({}));
    assert_eq!(send(&shop, "default", KEY, &genuine).await, 200);
    eventually(10, "the refusal", || async {
        let events = shop.events(&payment.session).await;
        let is_delivered = events.len() == 1 && events[0]["event"] == "payment.refused";
        is_delivered.then_some(()).ok_or(format!("{events:?}"))
    })
    .await;
    listed(&node, mismatched).await;
}
