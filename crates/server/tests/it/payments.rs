//! A payment from order to refund, as merchant and shopper see it.

use serde_json::json;

use crate::support::{Database, Dev, eventually, on_both};

on_both!(
    captured_by_the_clock_and_refunded,
    declined_then_another_card,
    three_d_secure
);

async fn captured_by_the_clock_and_refunded(database: Database) {
    let dev = Dev::start(database, &["--capture-delay", "1"]).await;
    let shop = dev.shop();
    let (id, pay_token) = shop.create(json!({})).await;
    assert_eq!(shop.session(&id).await["status"], "created");

    let paid = shop
        .pay(&id, &pay_token, "4242424242424242")
        .await
        .expect(200);
    assert_eq!(
        paid,
        json!({ "status": "authorized", "next": { "type": "none" } })
    );
    eventually(10, "the automatic capture", || async {
        let session = shop.session(&id).await;
        if session["status"] == "captured" {
            Ok(())
        } else {
            Err(session.to_string())
        }
    })
    .await;

    let order = json!({ "session_id": id, "amount": 2500, "currency": "EUR", "reference": "r-1" });
    let refund = shop.post("/v1/refunds", &order).await.expect(201);
    assert_eq!(refund["status"], "refund_requested");
    let target = format!("/v1/refunds/{}", refund["refund_id"].as_str().unwrap());
    assert_eq!(
        shop.get(&target).await.expect(200)["status"],
        "refund_succeeded"
    );

    let session = shop.session(&id).await;
    assert_eq!(session["amount_captured"], 10_000);
    assert_eq!(session["amount_refunded"], 2500);
    assert_eq!(session["amount_refundable"], 7500);
    let entry = |kind: &str, amount| (kind.to_owned(), amount);
    let expected = [
        entry("authorise", 10_000),
        entry("capture", 10_000),
        entry("refund", 2500),
    ];
    assert_eq!(shop.ledger(&id).await, expected);
}

async fn declined_then_another_card(database: Database) {
    let dev = Dev::start(database, &[]).await;
    let shop = dev.shop();
    let (id, pay_token) = shop.create(json!({})).await;
    let declined = shop
        .pay(&id, &pay_token, "4000000000000002")
        .await
        .expect(200);
    let next = json!({ "type": "retry", "reason": "card_declined", "last_try": false });
    let retry = json!({ "status": "refused", "next": next });
    assert_eq!(declined, retry);
    let session = shop.session(&id).await;
    assert_eq!(session["failure"]["code"], "card_declined");
    assert_eq!(session["retry_until"], session["expires_at"]);

    let poor = shop
        .pay(&id, &pay_token, "4000000000009995")
        .await
        .expect(200);
    assert_eq!(poor["next"]["reason"], "insufficient_funds");
    let paid = shop
        .pay(&id, &pay_token, "4242424242424242")
        .await
        .expect(200);
    assert_eq!(paid["status"], "authorized");
    let session = shop.session(&id).await;
    let attempts = session["attempts"].as_array().unwrap().iter();
    let shown = attempts.map(|attempt| json!([attempt["status"], attempt["payment_method"]]));
    let visa = |last4: &str| json!({ "type": "card", "brand": "visa", "last4": last4 });
    assert_eq!(
        shown.collect::<Vec<_>>(),
        [
            json!(["refused", visa("0002")]),
            json!(["refused", visa("9995")]),
            json!(["authorized", visa("4242")]),
        ]
    );
    let late = shop.pay(&id, &pay_token, "4242424242424242").await;
    assert_eq!(late.expect(409)["error"], "invalid_state");
}

async fn three_d_secure(database: Database) {
    let dev = Dev::start(database, &[]).await;
    let shop = dev.shop();
    for (outcome, status) in [("pass", "authorized"), ("fail", "refused")] {
        let (id, pay_token) = shop.create(json!({})).await;
        let token = shop.token("4000002500003155").await;
        let body = json!({ "payment_method": token });
        let asked = shop
            .shopper(&id, &pay_token, "pay", &body)
            .await
            .expect(200);
        assert_eq!(asked["status"], "pending");
        assert_eq!(asked["next"]["type"], "challenge", "{asked}");
        // The same token does not start another attempt.
        assert_eq!(
            shop.shopper(&id, &pay_token, "pay", &body)
                .await
                .expect(200),
            asked
        );

        let url = asked["next"]["url"].as_str().unwrap();
        let form = format!("outcome={outcome}");
        let form_type = "application/x-www-form-urlencoded";
        let request = shop
            .http
            .post(url)
            .header("Content-Type", form_type)
            .body(form);
        assert!(request.send().await.unwrap().status().is_success());
        eventually(10, "the end of the challenge", || async {
            let now = shop
                .shopper(&id, &pay_token, "status", &json!({}))
                .await
                .expect(200);
            if now["status"] == status {
                Ok(())
            } else {
                Err(now.to_string())
            }
        })
        .await;
    }
    // The shopper abandons the challenge: another card can be used at once.
    let (id, pay_token) = shop.create(json!({})).await;
    shop.pay(&id, &pay_token, "4000002500003155")
        .await
        .expect(200);
    let abandoned = shop
        .shopper(&id, &pay_token, "abandon", &json!({}))
        .await
        .expect(200);
    assert_eq!(abandoned["status"], "refused", "{abandoned}");
    assert_eq!(
        shop.session(&id).await["failure"]["code"],
        "authentication_abandoned"
    );
    let paid = shop
        .pay(&id, &pay_token, "4242424242424242")
        .await
        .expect(200);
    assert_eq!(paid["status"], "authorized");
}
