//! `PUT`, `GET` and `DELETE /v1/webhook_endpoint`

use oncharge_testkit::Outcome;
use serde_json::{Value, json};

use crate::support::{ENDPOINT_URL, TestApp};

const TARGET: &str = "/v1/webhook_endpoint";

#[actix_web::test]
async fn an_endpoint_is_set_retrieved_and_removed() {
    let app = TestApp::start().await;
    let none = (404, "not_found".to_owned());
    assert_eq!(app.get(TARGET).send().await.refusal(), none);
    assert_eq!(
        app.request("DELETE", TARGET).send().await.refusal(),
        none,
        "removing a missing endpoint"
    );
    let body = json!({"url": ENDPOINT_URL, "enabled": false, "unknown": 1}).to_string();
    let set = app.put(TARGET, body).send().await;
    assert_eq!(set.status, 200, "{set:?}");
    insta::assert_json_snapshot!("set", set.json(), { ".signing_secret" => "[secret]" });
    let members: Vec<String> = set
        .text()
        .split('"')
        .filter(|text| set.json().get(text).is_some())
        .map(str::to_owned)
        .collect();
    let page = [
        "url",
        "enabled",
        "disabled_reason",
        "disabled_at",
        "signing_secret",
        "created_at",
        "updated_at",
    ];
    assert_eq!(members, page, "the fields in the documented order");
    assert_eq!(set.header("cache-control"), Some("no-store"));
    let set = set.json();
    let secret = set["signing_secret"].as_str().unwrap();
    let mut read = set.clone();
    let members = read.as_object_mut().unwrap();
    members.remove("signing_secret");
    let hint = &secret[secret.len() - 4..];
    members.insert("secret_hint".to_owned(), hint.into());
    assert_eq!(app.get(TARGET).send().await.json(), read);
    assert_eq!(
        app.set_endpoint(&app.pair, ENDPOINT_URL).await,
        read,
        "the secret after setting the same URL"
    );

    app.clock.advance(60);
    let other = "https://hooks.example.com/x";
    let moved = app.set_endpoint(&app.pair, other).await;
    assert_eq!(moved["url"], other);
    assert_eq!(moved["created_at"], set["created_at"]);
    assert_ne!(moved["updated_at"], set["updated_at"]);
    let signing = |json: &Value| json["signing_secret"].as_str().unwrap().to_owned();
    assert_ne!(
        signing(&moved),
        signing(&set),
        "the secret after setting a new URL"
    );

    let gone = app.request("DELETE", TARGET).send().await;
    assert_eq!((gone.status, gone.text()), (204, ""));
    assert_eq!(app.get(TARGET).send().await.refusal(), none);
    let again = app.set_endpoint(&app.pair, ENDPOINT_URL).await;
    assert_eq!(again["enabled"], true);
}

#[actix_web::test]
async fn a_disabled_endpoint_has_reason_and_time() {
    let app = TestApp::start().await;
    app.set_endpoint(&app.pair, ENDPOINT_URL).await;
    app.sender.reply(ENDPOINT_URL, Outcome::Status(410));
    app.authorized().await;
    app.deliver().await;
    let get = app.get(TARGET).send().await.json();
    let shown = (
        &get["enabled"],
        &get["disabled_reason"],
        &get["disabled_at"],
    );
    assert_eq!(
        shown,
        (
            &json!(false),
            &json!("gone"),
            &json!("2026-11-22T17:09:10Z")
        )
    );
    let set = app.set_endpoint(&app.pair, ENDPOINT_URL).await;
    let shown = (
        &set["enabled"],
        &set["disabled_reason"],
        &set["disabled_at"],
    );
    assert_eq!(shown, (&json!(true), &Value::Null, &Value::Null));
    assert_eq!(
        set["secret_hint"], get["secret_hint"],
        "the secret after setting the URL again"
    );
}

#[actix_web::test]
async fn each_merchant_has_its_own_endpoint() {
    let app = TestApp::start().await;
    let other = app.another_merchant().await;
    app.set_endpoint(&app.pair, ENDPOINT_URL).await;
    let ours = app.get(TARGET).send().await.json();
    let get = app.get(TARGET).by(&other).send().await;
    assert_eq!(get.refusal(), (404, "not_found".to_owned()));
    app.set_endpoint(&other, "https://other.example.com/").await;
    let removed = app.request("DELETE", TARGET).by(&other).send().await;
    assert_eq!(removed.status, 204);
    assert_eq!(app.get(TARGET).send().await.json(), ours);
}

#[actix_web::test]
async fn invalid_urls_are_refused() {
    let app = TestApp::start().await;
    let long = format!("https://shop.example.com/{}", "x".repeat(2048));
    let huge = format!("https://shop.example.com/{}", "x".repeat(60_000));
    let texts = [
        "",
        " ",
        "x",
        "//shop.example.com/",
        "/hooks",
        "https:",
        "https://",
        "https:///hooks",
        "https:/shop.example.com/",
        "https:\\\\shop.example.com\\",
        "http://shop.example.com/",
        "http://127.0.0.1:8080/",
        "HTTP://localhost/",
        "ftp://shop.example.com/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "gopher://shop.example.com/",
        "https://user@shop.example.com/",
        "https://user:password@shop.example.com/",
        "https://@shop.example.com/",
        "https://shop.example.com/#fragment",
        "https://shop.example.com/#",
        "https://shop.example.com/\n",
        "https://shop.example.com /",
        "https://shop.example.com:99999/",
        "https://[::1/",
        "https://127.0.0.1/",
        "https://127.1/",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://0x7f.0.0.1/",
        "https://0177.0.0.1/",
        "https://127.0.0.1./",
        "https://%31%32%37.0.0.1/",
        "https://\u{ff11}\u{ff12}\u{ff17}.0.0.1/",
        "https://\u{2460}27.0.0.1/",
        "https://0.0.0.0/",
        "https://0/",
        "https://10.1.2.3/",
        "https://172.16.0.1/",
        "https://192.168.0.1/",
        "https://100.64.0.1/",
        "https://169.254.169.254/latest/meta-data/",
        "https://2852039166/",
        "https://224.0.0.1/",
        "https://255.255.255.255/",
        "https://[::1]/",
        "https://[::]/",
        "https://[0:0:0:0:0:0:0:1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[::ffff:7f00:1]/",
        "https://[::127.0.0.1]/",
        "https://[64:ff9b::10.0.0.1]/",
        "https://[2002:7f00:1::]/",
        "https://[fe80::1]/",
        "https://[fd00:ec2::254]/",
        "https://[ff02::1]/",
        &long,
        &huge,
    ];
    for text in texts {
        let response = app
            .put(TARGET, json!({"url": text}).to_string())
            .send()
            .await;
        let refusal = (422, "invalid_request".to_owned());
        assert_eq!(response.refusal(), refusal, "{text}: {response:?}");
        assert_eq!(response.fields(), ["url"], "{text}");
        assert!(!response.text().contains("password"), "no value is echoed");
    }
    assert_eq!(
        app.get(TARGET).send().await.status,
        404,
        "an endpoint was set"
    );
}

#[actix_web::test]
async fn valid_urls_are_stored_unchanged() {
    let app = TestApp::start().await;
    let longest = format!("https://shop.example.com/{}", "x".repeat(2048 - 25));
    for text in [
        ENDPOINT_URL,
        "https://shop.example.com",
        "HTTPS://Shop.Example.com:8443/a%20b?x=1&x=2&y=%2F",
        "https://93.184.216.34/hooks",
        "https://[2606:4700::1111]/hooks",
        "https://b\u{fc}cher.example/hooks",
        "https://localhost.example.com/",
        &longest,
    ] {
        assert_eq!(app.set_endpoint(&app.pair, text).await["url"], text);
        assert_eq!(app.get(TARGET).send().await.json()["url"], text);
    }
}

#[actix_web::test]
async fn invalid_bodies_leave_the_endpoint_unchanged() {
    let app = TestApp::start().await;
    app.set_endpoint(&app.pair, ENDPOINT_URL).await;
    let ours = app.get(TARGET).send().await.json();
    let fields = |value: Value| (json!({ "url": value }).to_string(), 422, vec!["url"]);
    for (body, status, named) in [
        fields(json!(null)),
        fields(json!(1)),
        fields(json!(true)),
        fields(json!([ENDPOINT_URL])),
        fields(json!({"url": ENDPOINT_URL})),
        ("{}".to_owned(), 422, vec!["url"]),
        (String::new(), 400, vec![]),
        ("null".to_owned(), 400, vec![]),
        (format!("[{}]", json!({"url": ENDPOINT_URL})), 400, vec![]),
        (format!("\"{ENDPOINT_URL}\""), 400, vec![]),
        (
            r#"{"url":"https://a.example/","url":"https://b.example/"}"#.to_owned(),
            400,
            vec!["url"],
        ),
        (r#"{"url":"https://a.example/"}x"#.to_owned(), 400, vec![]),
    ] {
        let response = app.put(TARGET, body.clone()).send().await;
        let refusal = (status, "invalid_request".to_owned());
        assert_eq!(response.refusal(), refusal, "{body}: {response:?}");
        assert_eq!(response.fields(), named, "{body}");
    }
    let good = json!({"url": "https://a.example/"}).to_string();
    let xml = app
        .put(TARGET, good.clone())
        .set("Content-Type", "text/xml");
    assert_eq!(
        xml.send().await.refusal(),
        (415, "unsupported_media_type".to_owned())
    );
    let large = app.put(TARGET, vec![b' '; 64 * 1024 + 1]).send().await;
    assert_eq!(large.refusal(), (413, "payload_too_large".to_owned()));
    let unsigned = app.put(TARGET, good.clone()).unsigned().send().await;
    assert_eq!(unsigned.refusal(), (401, "missing_auth".to_owned()));
    let mut posted = app.post(TARGET, good);
    posted.method = "POST".to_owned();
    assert_eq!(posted.send().await.status, 405);
    assert_eq!(app.get(TARGET).send().await.json(), ours);
}

#[actix_web::test]
async fn put_ignores_idempotency_keys() {
    let app = TestApp::start().await;
    let body = |url: &str| json!({ "url": url }).to_string();
    for url in ["https://a.example/", "https://b.example/"] {
        let put = app.put(TARGET, body(url)).set("Idempotency-Key", "k1");
        let response = put.send().await;
        assert_eq!(
            (response.status, &response.json()["url"]),
            (200, &json!(url))
        );
        assert_eq!(response.header("idempotency-replayed"), None);
    }
}
