//! `POST /v1/checkout/sessions`: each invalid input is named in the error, and nothing is written.

use serde_json::{Value, json};

use crate::support::{TestApp, new_session};

async fn check(app: &TestApp, body: impl Into<Vec<u8>>, status: u16, fields: &[&str]) {
    let before = app.store.commits();
    let body = body.into();
    let shown = String::from_utf8_lossy(&body)
        .chars()
        .take(120)
        .collect::<String>();
    let response = app.post("/v1/checkout/sessions", body).send().await;
    assert_eq!(
        response.refusal(),
        (status, "invalid_request".to_owned()),
        "{shown}: {response:?}"
    );
    assert_eq!(response.fields(), fields, "{shown}: {response:?}");
    assert_eq!(
        app.store.commits(),
        before,
        "something was written: {shown}"
    );
}

#[actix_web::test]
async fn each_field_is_validated() {
    let app = TestApp::start().await;
    let cases: Vec<(&str, Vec<Value>)> = vec![
        (
            "amount",
            vec![
                json!(null),
                json!(0),
                json!(-1),
                json!(1.0),
                json!(1e3),
                json!(0.5),
                json!("1"),
                json!(true),
                json!([1]),
                json!({"value": 1}),
                json!(100_000_000_000_i64),
                json!(i64::MAX),
                json!(u64::MAX),
                json!(1e30),
            ],
        ),
        (
            "currency",
            vec![
                json!(null),
                json!(""),
                json!("usd"),
                json!("US"),
                json!("XXX"),
                json!("XAU"),
                json!("DEM"),
                json!("CHE"),
                json!(840),
                json!("USD "),
            ],
        ),
        (
            "reference",
            vec![
                json!(null),
                json!(""),
                json!("a".repeat(256)),
                json!("a\u{0}b"),
                json!("a\nb"),
                json!("a\u{85}b"),
                json!(42),
            ],
        ),
        (
            "return_url",
            vec![
                json!(null),
                json!(""),
                json!("/thanks"),
                json!("shop.example.com"),
                json!("http://shop.example.com/"),
                json!("http://127.0.0.1/"),
                json!("https://user@shop.example.com/"),
                json!("https://shop.example.com/#x"),
                json!("https://shop.example.com/#"),
                json!("javascript:alert(1)"),
                json!("https:///x"),
                json!(format!("https://shop.example.com/{}", "a".repeat(2048))),
                json!("https://shop.example.com/\n"),
                json!(1),
            ],
        ),
        (
            "order_id",
            vec![json!("a".repeat(256)), json!("\u{0}"), json!(42), json!({})],
        ),
        (
            "customer_email",
            vec![
                json!("nobody"),
                json!("a@b@c"),
                json!("@example.com"),
                json!("a b@example.com"),
                json!(format!("{}@example.com", "a".repeat(250))),
                json!(1),
            ],
        ),
        (
            "customer_phone",
            vec![
                json!("15551234567"),
                json!("+0555123456"),
                json!("+1"),
                json!("+999123456789"),
                json!("+1 555 123 4567"),
                json!("+155512345678901"),
                json!(15_551_234_567_i64),
            ],
        ),
        (
            "metadata",
            vec![
                json!([]),
                json!("x"),
                json!({"a": 1}),
                json!({"a": {"b": "c"}}),
                json!({"": "x"}),
                json!({"k".repeat(41): "x"}),
                json!({"a": "v".repeat(501)}),
                json!({"a": "\u{0}"}),
                (0..51).map(|n| (format!("k{n}"), json!("v"))).collect(),
            ],
        ),
        (
            "capture",
            vec![json!(""), json!("later"), json!(true), json!("AUTOMATIC")],
        ),
    ];
    for (field, values) in cases {
        for value in values {
            let body = new_session(&json!({ field: value })).to_string();
            check(&app, body, 422, &[field]).await;
        }
    }
}

#[actix_web::test]
async fn all_invalid_fields_are_named_at_once() {
    let app = TestApp::start().await;
    check(
        &app,
        "{}",
        422,
        &["amount", "currency", "reference", "return_url"],
    )
    .await;
    let body = json!({
        "amount": 1.5, "currency": "xyz", "reference": "", "return_url": "ftp://x",
        "order_id": 1, "customer_email": "x", "customer_phone": "1", "metadata": 1, "capture": 1,
    });
    let all = [
        "amount",
        "currency",
        "reference",
        "return_url",
        "order_id",
        "customer_email",
        "customer_phone",
        "metadata",
        "capture",
    ];
    check(&app, body.to_string(), 422, &all).await;
}

#[actix_web::test]
async fn non_integer_amounts_are_refused() {
    let app = TestApp::start().await;
    let with = |amount: &str| {
        new_session(&json!({"amount": 424_242}))
            .to_string()
            .replace("424242", amount)
    };
    for amount in [
        "9223372036854775808",
        "18446744073709551616",
        "1.0",
        "1e3",
        "1E2",
        "-0",
    ] {
        check(&app, with(amount), 422, &["amount"]).await;
    }
    for amount in ["1e999", "01", "+1", "1.", ".5", "NaN", "--1"] {
        check(&app, with(amount), 400, &["amount"]).await;
    }
}

#[actix_web::test]
async fn problems_are_listed_in_the_order_of_the_schema() {
    let app = TestApp::start().await;
    let body = json!({
        "capture": "later",
        "customer_email": "x",
        "reference": 1,
        "order_id": "",
        "currency": "EURO",
        "amount": null,
    });
    let response = app.post("/v1/checkout/sessions", body.to_string()).send();
    let details = response.await.json()["details"].clone();
    let problem = |field: &str, problem: &str| json!({"field": field, "problem": problem});
    let expected = json!([
        problem("amount", "is required"),
        problem("currency", "must be an ISO 4217 code in use, in upper case"),
        problem("reference", "must be a string"),
        problem("return_url", "is required"),
        problem("customer_email", "must be a valid e-mail address"),
        problem("capture", "must be \"automatic\" or \"manual\""),
    ]);
    assert_eq!(details, expected);
}

#[actix_web::test]
async fn malformed_bodies_are_refused() {
    let app = TestApp::start().await;
    let good = new_session(&json!({})).to_string();
    let deep = format!("{{\"metadata\":{}{}}}", "[".repeat(40), "]".repeat(40));
    let cases: Vec<(Vec<u8>, &[&str])> = vec![
        (b"".to_vec(), &[]),
        (b"[]".to_vec(), &[]),
        (b"null".to_vec(), &[]),
        (b"\"x\"".to_vec(), &[]),
        (b"amount=1&currency=EUR".to_vec(), &[]),
        (good.as_bytes()[..good.len() - 1].to_vec(), &[]),
        (format!("{good}{good}").into_bytes(), &[]),
        (format!("{good}\0").into_bytes(), &[]),
        (b"\xef\xbb\xbf{}".to_vec(), &[]),
        (b"{\"reference\":\"\xff\"}".to_vec(), &[]),
        (b"{\"reference\":\"\\ud800\"}".to_vec(), &["reference"]),
        (b"{\"reference\":\"a\x00\"}".to_vec(), &["reference"]),
        (b"{\"amount\":1,\"amount\":2}".to_vec(), &["amount"]),
        (
            b"{\"metadata\":{\"a\":\"1\",\"a\":\"2\"}}".to_vec(),
            &["metadata"],
        ),
        (deep.into_bytes(), &["metadata"]),
        ("[".repeat(60_000).into_bytes(), &[]),
    ];
    for (body, fields) in cases {
        check(&app, body, 400, fields).await;
    }
}

#[actix_web::test]
async fn values_are_not_echoed() {
    let app = TestApp::start().await;
    let secret = "4242424242424242";
    for body in [
        json!({"amount": secret, "reference": {"a": secret}, "customer_email": secret}).to_string(),
        format!("{{\"{secret}\":1,\"{secret}\":2}}"),
        format!("{{\"reference\":\"{secret}\",,}}"),
        format!("{secret}{secret}"),
    ] {
        let response = app.post("/v1/checkout/sessions", body).send().await;
        assert!([400, 422].contains(&response.status), "{response:?}");
        assert!(!response.text().contains("4242"), "{response:?}");
    }
}

#[actix_web::test]
async fn an_invalid_idempotency_key_is_refused() {
    let app = TestApp::start().await;
    let good = new_session(&json!({})).to_string();
    let request = || app.post("/v1/checkout/sessions", good.clone());
    let long = "k".repeat(256);
    let bad = [
        request().set("Idempotency-Key", ""),
        request().set("Idempotency-Key", "\"\""),
        request().set("Idempotency-Key", "a b"),
        request().set("Idempotency-Key", &long),
        request().add("Idempotency-Key", "é".as_bytes()),
        request()
            .add("Idempotency-Key", "a")
            .add("Idempotency-Key", "a"),
    ];
    for request in bad {
        let response = request.send().await;
        assert_eq!(
            response.refusal(),
            (400, "invalid_request".to_owned()),
            "{response:?}"
        );
        assert_eq!(response.fields(), ["Idempotency-Key"]);
    }
    assert_eq!(app.store.commits(), 0);
}
