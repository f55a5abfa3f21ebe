//! `POST /v1/checkout/sessions`: valid requests and their responses.

use oncharge_application::{
    bans,
    merchants::{self, SettingsChange},
};
use oncharge_domain::{
    blocklist::Identifier,
    id::{MerchantId, SessionId},
    text::Email,
};
use oncharge_ports::CheckoutRepository as _;
use serde_json::{Value, json};

use crate::support::{TestApp, new_session};

#[actix_web::test]
async fn a_session_is_created() {
    let app = TestApp::start().await;
    let body = new_session(&json!({
        "order_id": "42", "customer_email": "shopper@example.com",
        "customer_phone": "+15551234567", "metadata": {"cart": "7"}, "unknown": [1, {"x": 2}],
    }));
    let response = app
        .post("/v1/checkout/sessions", body.to_string())
        .send()
        .await;
    assert_eq!(response.status, 201, "{response:?}");
    let created = response.json();
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
    let members: Vec<&str> = response.text().split('"').skip(1).step_by(4).collect();
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
        "the fields of the published page, in its order"
    );
}

/// Creates a session from a valid body with these fields replaced.
#[track_caller]
fn assert_members(session: &Value, expected: &Value) {
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&session[name], value, "{name} of {session}");
    }
}

#[actix_web::test]
async fn valid_fields_are_stored() {
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
        assert_members(&app.session(&checkout).await, &expected);
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
    let response = request().send().await;
    assert_eq!(response.refusal(), (403, "global_ban".to_owned()));
    assert!(!response.text().contains("fraud") && !response.text().contains("xample.com"));
    bans::revoke(&app.app, ban.id).await.unwrap();
    assert_eq!(
        request().send().await.status,
        201,
        "the refusal was not stored"
    );
}

#[actix_web::test]
async fn an_unavailable_store_is_busy() {
    let app = TestApp::start().await;
    app.store
        .fail_commit(1, oncharge_testkit::CommitFault::Before);
    let response = app
        .post("/v1/checkout/sessions", new_session(&json!({})).to_string())
        .send()
        .await;
    assert_eq!(response.refusal(), (503, "busy".to_owned()), "{response:?}");
    assert_eq!(response.header("retry-after"), Some("1"));
    assert!(app.store.session_ids().is_empty());
}

#[actix_web::test]
async fn unknown_members_are_reported_in_a_warning() {
    let app = TestApp::start().await;
    let warning = async |target: &str, body: &serde_json::Value| {
        let response = app.post(target, body.to_string()).send().await;
        response.header("oncharge-warning").map(str::to_owned)
    };
    let sessions = "/v1/checkout/sessions";
    let known = new_session(&json!({"metadata": {"any": "name"}, "capture": null}));
    assert_eq!(warning(sessions, &known).await, None);
    let misspelled = new_session(&json!({"ordr_id": "42", "absent": null, "a\r\nb, c\u{e9}": 1}));
    assert_eq!(
        warning(sessions, &misspelled).await.as_deref(),
        Some("unknown members were ignored: a??b??c?, ordr_id")
    );
    let replayed = app.post(sessions, misspelled.to_string());
    let replayed = replayed.set("Idempotency-Key", "k");
    for _ in 0..2 {
        let response = replayed.clone().send().await;
        assert_eq!(response.status, 201);
        assert!(response.header("oncharge-warning").is_some());
    }
    let wrong = new_session(&json!({"amount": 0, "amonut": 1}));
    let named = warning(sessions, &wrong).await;
    assert!(named.unwrap().ends_with(": amonut"), "on errors, too");
    let many: serde_json::Map<_, _> = (10..1000).map(|n| (format!("m{n}"), json!(1))).collect();
    let named = warning("/v1/checkout/sessions/cs_1/cancel", &json!(many)).await;
    let named = named.unwrap();
    assert!(named.ends_with("m107, m108 and 980 more"), "{named}");
    assert_eq!(
        warning("/v1/checkout/sessions/cs_1/cancel", &json!({})).await,
        None
    );
}

/// Disables or enables the merchant of the sandbox, and waits until the server applies it.
async fn set_merchant_enabled(app: &TestApp, merchant: MerchantId, enabled: bool) {
    let change = SettingsChange {
        disabled: Some(!enabled),
        ..SettingsChange::default()
    };
    merchants::change(&app.app, merchant, change).await.unwrap();
    let wanted = if enabled { 201 } else { 403 };
    let create = app.post("/v1/checkout/sessions", new_session(&json!({})).to_string());
    // A change takes effect within a second.
    while create.clone().send().await.status != wanted {}
}

#[actix_web::test]
async fn a_disabled_merchant_accepts_no_new_sessions_and_payments() {
    let app = TestApp::start().await;
    let open = app.created().await;
    let captured = app.captured().await;
    let authorized = app.authorized().await;
    let id: SessionId = open.id.parse().unwrap();
    let merchant = app.store.session(id).await.unwrap().unwrap().merchant;
    set_merchant_enabled(&app, merchant, false).await;
    let refused = app
        .post("/v1/checkout/sessions", new_session(&json!({})).to_string())
        .send()
        .await;
    assert_eq!(refused.refusal(), (403, "merchant_disabled".to_owned()));
    // The page shows that no payment is possible, within a second as well.
    let shown = json!({"status": "refused", "next": {"type": "none"}});
    let status = app.shopper("GET", &open, "/status", "");
    while status.clone().send().await.json() != shown {}
    let paid = app.pay(&open, "tok_1").await;
    assert_eq!(paid.refusal(), (403, "merchant_disabled".to_owned()));
    assert_eq!(
        app.session(&open).await["status"],
        "created",
        "the session was changed"
    );
    assert_eq!(
        app.refund(&captured, 1).await.status,
        201,
        "a refund is refused"
    );
    let cancel = format!("/v1/checkout/sessions/{}/cancel", authorized.id);
    assert_eq!(
        app.post(&cancel, "").send().await.status,
        200,
        "and cancels"
    );
    set_merchant_enabled(&app, merchant, true).await;
    while status.clone().send().await.json() == shown {}
    assert_eq!(app.pay(&open, "tok_1").await.status, 200, "as before");
}
