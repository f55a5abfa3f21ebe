//! `POST /v1/checkout/sessions`: what is accepted, and what comes back.

use oncharge_application::bans;
use oncharge_domain::{blocklist::Identifier, text::Email};
use serde_json::{Value, json};

use crate::support::{TestApp, new_session};

#[actix_web::test]
async fn a_session_is_created() {
    let app = TestApp::start().await;
    let body = new_session(&json!({
        "order_id": "42", "customer_email": "shopper@example.com",
        "customer_phone": "+15551234567", "metadata": {"cart": "7"}, "unknown": [1, {"x": 2}],
    }));
    let answer = app
        .post("/v1/checkout/sessions", body.to_string())
        .send()
        .await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let created = answer.json();
    insta::assert_json_snapshot!(created, {
        ".session_id" => "[session]", ".pay_token" => "[token]", ".iframe_url" => "[url]",
    });
    let text = |name: &str| created[name].as_str().unwrap();
    assert!(text("session_id").starts_with("cs_") && text("pay_token").starts_with("pt_"));
    let url = format!(
        "/checkout/{}?token={}",
        text("session_id"),
        text("pay_token")
    );
    assert_eq!(text("iframe_url"), url);
    let members: Vec<&str> = answer.text().split('"').skip(1).step_by(4).collect();
    let page = [
        "session_id",
        "status",
        "iframe_url",
        "pay_token",
        "created_at",
        "expires_at",
    ];
    assert_eq!(
        members, page,
        "the members of the published page, in its order"
    );
}

/// What is created from a body with these members put over a good one.
#[track_caller]
fn kept(session: &Value, expected: &Value) {
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&session[name], value, "{name} of {session}");
    }
}

#[actix_web::test]
async fn what_the_rules_allow_is_kept() {
    let app = TestApp::start().await;
    let long = "ä".repeat(255);
    let cases = [
        (json!({"amount": 1}), json!({"amount": 1})),
        (
            json!({"amount": 99_999_999_999_i64}),
            json!({"amount": 99_999_999_999_i64}),
        ),
        (json!({"currency": "JPY"}), json!({"currency": "JPY"})),
        (json!({"reference": long}), json!({"reference": long})),
        (json!({"order_id": null}), json!({"order_id": null})),
        (json!({"order_id": ""}), json!({"order_id": null})),
        (
            json!({"customer_email": "", "customer_phone": ""}),
            json!({"customer": {"email": null, "phone": null}}),
        ),
        (
            json!({"customer_email": "a@b.example", "customer_phone": "+4915112345678"}),
            json!({"customer": {"email": "a@b.example", "phone": "+4915112345678"}}),
        ),
        (json!({"metadata": {}}), json!({"metadata": {}})),
        (
            json!({"metadata": {"a": "", "b": null}}),
            json!({"metadata": {"a": ""}}),
        ),
        (
            json!({"capture": "automatic"}),
            json!({"capture": "automatic"}),
        ),
        (json!({"capture": "manual"}), json!({"capture": "manual"})),
        (json!({"capture": null}), json!({"capture": "automatic"})),
        (
            json!({"return_url": "https://shop.example:8443/a?b=c%20d"}),
            json!({"return_url": "https://shop.example:8443/a?b=c%20d"}),
        ),
    ];
    for (changes, expected) in cases {
        let checkout = app.create(&new_session(&changes)).await;
        kept(&app.session(&checkout).await, &expected);
    }
}

#[actix_web::test]
async fn a_banned_shopper_is_refused_without_a_reason() {
    let app = TestApp::start().await;
    let email = Identifier::email(&Email::parse("shopper@example.com").unwrap());
    let ban = bans::add(&app.app, &email, 30, Some("fraud".to_owned()))
        .await
        .unwrap();
    let body = new_session(&json!({"customer_email": "Shopper@Example.com"})).to_string();
    let request = || {
        app.post("/v1/checkout/sessions", body.clone())
            .set("Idempotency-Key", "k1")
    };
    let answer = request().send().await;
    assert_eq!(answer.refusal(), (403, "global_ban".to_owned()));
    assert!(!answer.text().contains("fraud") && !answer.text().contains("xample.com"));
    bans::revoke(&app.app, ban.id).await.unwrap();
    assert_eq!(
        request().send().await.status,
        201,
        "the refusal was not remembered"
    );
}

#[actix_web::test]
async fn a_store_that_is_away_is_busy_and_nothing_is_written() {
    let app = TestApp::start().await;
    app.store
        .fail_commit(1, oncharge_testkit::CommitFault::Before);
    let answer = app
        .post("/v1/checkout/sessions", new_session(&json!({})).to_string())
        .send()
        .await;
    assert_eq!(answer.refusal(), (503, "busy".to_owned()), "{answer:?}");
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert!(app.store.session_ids().is_empty());
}
