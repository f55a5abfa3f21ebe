//! `POST /checkout/{id}/pay`

use oncharge_domain::psp::RefusalReason;
use oncharge_testkit::{Call, Fault, Reply};
use serde_json::json;

use crate::support::TestApp;

#[actix_web::test]
async fn each_psp_result_has_its_response() {
    let app = TestApp::start().await;
    let none = json!({"type": "none"});

    let good = app.created().await;
    let response = app.pay(&good, "tok_1").await;
    assert_eq!(response.status, 200, "{response:?}");
    assert_eq!(
        response.json(),
        json!({"status": "authorized", "next": none})
    );
    assert_eq!(response.header("cache-control"), Some("no-store"));
    let same = app.pay(&good, "tok_1").await;
    assert_eq!(
        same.json(),
        response.json(),
        "the same token starts another attempt"
    );
    assert_eq!(app.psp.received_calls().len(), 1);
    let other = app.pay(&good, "tok_2").await;
    assert_eq!(other.refusal(), (409, "invalid_state".to_owned()));

    let challenged = app.created().await;
    app.psp.reply(Call::Authorize, Reply::ActionRequired);
    let json = app.pay(&challenged, "tok_1").await.json();
    assert_eq!(
        (&json["status"], &json["next"]["type"]),
        (&json!("pending"), &json!("challenge"))
    );
    assert!(
        json["next"]["url"]
            .as_str()
            .unwrap()
            .starts_with("https://")
    );

    for fault in [Fault::UnknownBefore, Fault::UnknownAfter] {
        let unknown = app.created().await;
        app.psp.fail(Call::Authorize, fault);
        let response = app.pay(&unknown, "tok_1").await;
        assert_eq!(
            response.json(),
            json!({"status": "pending", "next": none}),
            "{fault:?}"
        );
    }

    let not_sent = app.created().await;
    app.psp.fail(Call::Authorize, Fault::NotSent);
    let response = app.pay(&not_sent, "tok_1").await;
    let retry = |reason: &str, last_try: bool| json!({"type": "retry", "reason": reason, "last_try": last_try});
    assert_eq!(
        response.json(),
        json!({"status": "error", "next": retry("technical", false)})
    );

    let refused = app.created().await;
    for (number, left) in [
        (1, retry("card_declined", false)),
        (2, retry("card_declined", true)),
        (3, none),
    ] {
        app.psp
            .reply(Call::Authorize, Reply::Refused(RefusalReason::CardDeclined));
        let response = app.pay(&refused, &format!("tok_{number}")).await;
        assert_eq!(
            response.json(),
            json!({"status": "refused", "next": left}),
            "try {number}"
        );
    }
}

#[actix_web::test]
async fn a_valid_pay_token_is_required() {
    let app = TestApp::start().await;
    let (mine, other) = (app.created().await, app.created().await);
    let body = r#"{"payment_method":"tok_1"}"#;
    let request = || app.shopper("POST", &mine, "/pay", body);
    let missing = [
        request().without("Authorization"),
        request().set("Authorization", ""),
        request().set("Authorization", &mine.token),
        request().set("Authorization", &format!("Basic {}", mine.token)),
        request().add("Authorization", format!("Bearer {}", mine.token)),
    ];
    for request in missing {
        let response = request.send().await;
        assert_eq!(
            response.refusal(),
            (401, "missing_auth".to_owned()),
            "{response:?}"
        );
    }
    for bad in [
        "pt_",
        "x",
        &other.token,
        &format!("{}x", mine.token),
        &mine.token.to_lowercase(),
    ] {
        let response = request()
            .set("Authorization", &format!("Bearer {bad}"))
            .send()
            .await;
        assert_eq!(
            response.refusal(),
            (401, "invalid_token".to_owned()),
            "{response:?}"
        );
    }
    let mut in_url = request().without("Authorization");
    in_url.target = format!("{}?token={}", in_url.target, mine.token);
    assert_eq!(
        in_url.send().await.status,
        401,
        "a token in the URL is accepted"
    );
    assert_eq!(app.session(&mine).await["status"], "created");
}

#[actix_web::test]
async fn invalid_payment_methods_are_refused_and_not_echoed() {
    let app = TestApp::start().await;
    let checkout = app.created().await;
    let before = app.store.commits();
    let card = "4242424242424242";
    let cases = [
        (json!({"payment_method": card}).to_string(), 422),
        (json!({"payment_method": {"number": card}}).to_string(), 422),
        (
            json!({"payment_method": 4_242_424_242_424_242_i64}).to_string(),
            422,
        ),
        (json!({"card": card}).to_string(), 422),
        (String::new(), 422),
        (format!("[{card}]"), 400),
        (format!("{{\"payment_method\":\"{card}"), 400),
    ];
    for (body, status) in cases {
        let response = app.shopper("POST", &checkout, "/pay", &body).send().await;
        assert_eq!(
            response.refusal(),
            (status, "invalid_request".to_owned()),
            "{body}"
        );
        if status == 422 {
            assert_eq!(response.fields(), ["payment_method"]);
        }
        assert!(!response.text().contains("4242"), "{response:?}");
    }
    let text = app
        .shopper("POST", &checkout, "/pay", "{}")
        .set("Content-Type", "text/plain");
    assert_eq!(
        text.send().await.refusal(),
        (415, "unsupported_media_type".to_owned())
    );
    assert_eq!(app.store.commits(), before, "something was written");
}

#[actix_web::test]
async fn an_expired_session_is_not_paid() {
    let app = TestApp::start().await;
    let checkout = app.created().await;
    app.clock.advance(1800);
    let response = app.pay(&checkout, "tok_1").await;
    assert_eq!(response.refusal(), (409, "invalid_state".to_owned()));
    app.clock.advance(24 * 3600 + 1);
    let response = app.pay(&checkout, "tok_1").await;
    assert_eq!(
        response.refusal(),
        (401, "invalid_token".to_owned()),
        "the status is readable"
    );
}

#[actix_web::test]
async fn an_unsupported_amount_is_refused_and_not_sent() {
    let app = TestApp::start().await;
    let checkout = app.created().await;
    app.psp.reject_currency("EUR");
    let response = app.pay(&checkout, "tok_1").await;
    assert_eq!(
        response.refusal(),
        (422, "invalid_request".to_owned()),
        "{response:?}"
    );
    assert_eq!(response.fields(), ["amount"]);
    assert_eq!(
        (app.psp.calls(), app.store.commits()),
        (0, 1),
        "more than the session was written"
    );
}
