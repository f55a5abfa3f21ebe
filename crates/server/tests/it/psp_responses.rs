//! The responses of the API to each kind of PSP response, produced by the simulator's faults.

use serde_json::{Value, json};

use crate::support::{Database, Dev, Shop, eventually, on_both, shop::GOOD_CARD};

on_both!(accepted, unknown, not_sent, refused);

/// A capture, cancel or refund of a session, with an idempotency key.
async fn act(shop: &Shop, id: &str, act: &str, key: Option<&str>) -> (u16, Value) {
    let (target, body) = match act {
        "refund" => {
            let body = json!({
                "session_id": id, "amount": 4000, "currency": "EUR", "reference": "r",
            });
            ("/v1/refunds".to_owned(), body)
        }
        act => (format!("/v1/checkout/sessions/{id}/{act}"), json!({})),
    };
    let response = shop.call("POST", &target, &body.to_string(), key).await;
    (response.status, response.json())
}

async fn wait_for_member(shop: &Shop, id: &str, member: &str, value: Value) {
    eventually(20, &format!("{member} {value}"), || async {
        let session = shop.session(id).await;
        if session[member] == value {
            Ok(())
        } else {
            Err(session.to_string())
        }
    })
    .await;
}

/// The outcome arrives by notification.
async fn accepted(database: Database) {
    let dev = Dev::start(database, &[]).await;
    let shop = dev.shop();
    let (for_capture, for_cancel) = (shop.authorized().await, shop.authorized().await);
    let for_refund = shop.captured().await;
    let (new, pay_token) = shop.create(json!({ "capture": "manual" })).await;
    shop.faults(json!({ "asynchronous": true })).await;

    let paid = shop.pay(&new, &pay_token, GOOD_CARD).await.expect(200);
    assert_eq!(
        paid,
        json!({ "status": "pending", "next": { "type": "none" } })
    );
    for (id, name) in [(&for_capture, "capture"), (&for_cancel, "cancel")] {
        let (status, session) = act(&shop, id, name, None).await;
        assert_eq!(
            (status, &session["status"]),
            (202, &json!("authorized")),
            "{name}"
        );
        assert_eq!(session["pending_operation"], name);
    }
    let (status, refund) = act(&shop, &for_refund, "refund", None).await;
    assert_eq!(
        (status, &refund["status"]),
        (201, &json!("refund_requested"))
    );

    wait_for_member(&shop, &new, "status", json!("authorized")).await;
    wait_for_member(&shop, &for_capture, "status", json!("captured")).await;
    wait_for_member(&shop, &for_cancel, "status", json!("cancelled")).await;
    let target = format!("/v1/refunds/{}", refund["refund_id"].as_str().unwrap());
    eventually(20, "the refund", || async {
        let refund = shop.get(&target).await.json();
        if refund["status"] == "refund_succeeded" {
            Ok(())
        } else {
            Err(refund.to_string())
        }
    })
    .await;
}

/// The operation is executed, its response is lost; recovery looks up the outcome.
async fn unknown(database: Database) {
    let dev = Dev::start(database, &[]).await;
    let shop = dev.shop();
    let (for_capture, for_cancel) = (shop.authorized().await, shop.authorized().await);
    let for_refund = shop.captured().await;
    let (new, pay_token) = shop.create(json!({ "capture": "manual" })).await;
    // Notifications are held back, otherwise the outcome would be known before the request ends.
    let lost = json!({ "drop_after_work_rate": 1, "delay_notifications_ms": 60_000 });
    shop.faults(lost).await;

    let paid = shop.pay(&new, &pay_token, GOOD_CARD).await.expect(200);
    assert_eq!(
        paid,
        json!({ "status": "pending", "next": { "type": "none" } })
    );
    for (id, name) in [(&for_capture, "capture"), (&for_cancel, "cancel")] {
        let (status, session) = act(&shop, id, name, None).await;
        assert_eq!((status, &session["pending_operation"]), (202, &json!(name)));
    }
    let (status, refund) = act(&shop, &for_refund, "refund", None).await;
    assert_eq!((status, &refund["psp_reference"]), (201, &Value::Null));
    shop.faults(json!({ "delay_notifications_ms": 60_000 }))
        .await;

    wait_for_member(&shop, &new, "status", json!("authorized")).await;
    wait_for_member(&shop, &for_capture, "status", json!("captured")).await;
    wait_for_member(&shop, &for_cancel, "status", json!("cancelled")).await;
    wait_for_member(&shop, &for_refund, "amount_refunded", json!(4000)).await;
    assert_eq!(shop.ledger(&new).await.len(), 1, "authorised once");
    assert_eq!(shop.ledger_sum(&for_capture, "capture").await, 10_000);
    assert_eq!(shop.ledger_sum(&for_cancel, "void").await, 10_000);
    eventually(20, "the refund in the ledger", || async {
        let refunded = shop.ledger_sum(&for_refund, "refund").await;
        if refunded == 4000 {
            Ok(())
        } else {
            Err(refunded.to_string())
        }
    })
    .await;
}

/// The PSP is unreachable.
async fn not_sent(database: Database) {
    let dev = Dev::start(database, &[]).await;
    let shop = dev.shop();
    let authorized = shop.authorized().await;
    let captured = shop.captured().await;
    let (new, pay_token) = shop.create(json!({ "capture": "manual" })).await;
    let (token, other) = (shop.token(GOOD_CARD).await, shop.token(GOOD_CARD).await);
    shop.faults(json!({ "refuse_connections_ms": 2500 })).await;

    let body = json!({ "payment_method": token });
    let paid = shop
        .shopper(&new, &pay_token, "pay", &body)
        .await
        .expect(200);
    let next = json!({ "type": "retry", "reason": "technical", "last_try": false });
    let retry = json!({ "status": "error", "next": next });
    assert_eq!(paid, retry);
    let (status, error) = act(&shop, &authorized, "capture", Some("k")).await;
    assert_eq!((status, &error["error"]), (503, &json!("psp_unavailable")));
    let session = shop.session(&authorized).await;
    assert_eq!(
        (&session["status"], &session["pending_operation"]),
        (&json!("authorized"), &Value::Null)
    );
    let (status, refund) = act(&shop, &captured, "refund", None).await;
    assert_eq!((status, &refund["psp_reference"]), (201, &Value::Null));

    // Once the PSP is reachable: the key is free, the refund is sent, the shopper pays.
    eventually(20, "the PSP", || async {
        match shop
            .http
            .get(format!("{}/v1/ledger?reference=x", shop.simulator))
            .send()
            .await
        {
            Ok(_) => Ok(()),
            Err(error) => Err(error.to_string()),
        }
    })
    .await;
    let (status, _) = act(&shop, &authorized, "capture", Some("k")).await;
    assert_eq!(status, 200);
    let body = json!({ "payment_method": other });
    let paid = shop
        .shopper(&new, &pay_token, "pay", &body)
        .await
        .expect(200);
    assert_eq!(paid["status"], "authorized");
    eventually(20, "the refund", || async {
        let refunded = shop.ledger_sum(&captured, "refund").await;
        if refunded == 4000 {
            Ok(())
        } else {
            Err(refunded.to_string())
        }
    })
    .await;
    assert_eq!(shop.ledger_sum(&authorized, "capture").await, 10_000);
}

/// The PSP refuses.
async fn refused(database: Database) {
    let dev = Dev::start(database, &[]).await;
    let shop = dev.shop();
    let authorized = shop.authorized().await;
    let captured = shop.captured().await;
    shop.faults(json!({ "refuse": ["capture", "cancel", "refund"] }))
        .await;
    for name in ["capture", "cancel"] {
        let (status, error) = act(&shop, &authorized, name, Some(name)).await;
        assert_eq!(
            (status, &error["error"]),
            (409, &json!("psp_rejected")),
            "{name}"
        );
        assert_eq!(shop.session(&authorized).await["status"], "authorized");
    }
    let (status, refund) = act(&shop, &captured, "refund", None).await;
    assert_eq!(status, 201);
    let target = format!("/v1/refunds/{}", refund["refund_id"].as_str().unwrap());
    assert_eq!(
        shop.get(&target).await.expect(200)["status"],
        "refund_failed"
    );
    assert_eq!(shop.session(&captured).await["amount_refundable"], 10_000);

    // The stored refusal is repeated, even if the PSP would approve now.
    shop.faults(json!({})).await;
    let (status, _) = act(&shop, &authorized, "capture", Some("capture")).await;
    assert_eq!(status, 409);
    let (status, _) = act(&shop, &authorized, "capture", Some("another")).await;
    assert_eq!(status, 200);
}
