//! The pages for shoppers: framing, content policy, languages.

use reqwest::StatusCode;
use serde_json::json;

use crate::sandbox::{CHALLENGE_CARD, Sandbox};

async fn get(sandbox: &Sandbox, path: &str) -> (StatusCode, String, String) {
    let response = sandbox.client.get(sandbox.url(path)).send().await.unwrap();
    let policy = response
        .headers()
        .get("Content-Security-Policy")
        .map(|value| value.to_str().unwrap().to_owned())
        .unwrap_or_default();
    let status = response.status();
    (status, policy, response.text().await.unwrap())
}

#[tokio::test]
async fn the_fields_are_self_contained_and_labeled() {
    let sandbox = Sandbox::start().await;
    let path = "/fields?session=ps_%22%3E%3Cscript%3E&parent_origin=http://127.0.0.1:8080";
    let (status, policy, page) = get(&sandbox, path).await;
    assert_eq!(status, StatusCode::OK);
    let rules: Vec<&str> = policy.split("; ").collect();
    assert!(rules.contains(&"default-src 'none'"), "{policy}");
    assert!(rules.contains(&"connect-src 'self'"), "{policy}");
    // `frame-ancestors` applies to every ancestor, including the shop that frames the checkout.
    assert!(rules.contains(&"frame-ancestors http: https:"), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    assert!(
        page.contains("data-parent-origin=\"http://127.0.0.1:8080\""),
        "{page}"
    );
    assert!(
        !page.contains("<script>"),
        "the session was not escaped: {page}"
    );
    for id in ["number", "expiry", "cvc"] {
        assert!(
            page.contains(&format!("<label for=\"{id}\">")),
            "{id}: {page}"
        );
    }
    for purpose in ["cc-number", "cc-exp", "cc-csc"] {
        assert!(
            page.contains(&format!("autocomplete=\"{purpose}\"")),
            "{purpose}: {page}"
        );
    }
}

#[tokio::test]
async fn invalid_parent_origins_are_refused() {
    let sandbox = Sandbox::start().await;
    for query in [
        "session=s",
        "session=s&parent_origin=",
        "session=s&parent_origin=*",
        "session=s&parent_origin=null",
        "session=s&parent_origin=https://shop.example/",
        "session=s&parent_origin=https://shop.example%20*",
        "session=s&parent_origin=https://shop.example;script-src%20*",
        "session=s&parent_origin=javascript:alert(1)",
    ] {
        let (status, _, page) = get(&sandbox, &format!("/fields?{query}")).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{query}: {page}");
    }
}

#[tokio::test]
async fn the_fields_support_four_languages() {
    let sandbox = Sandbox::start().await;
    for (lang, word) in [
        ("en", "Card number"),
        ("de", "Kartennummer"),
        ("fr", "Numéro de carte"),
        ("es", "Número de tarjeta"),
        ("xx", "Card number"),
    ] {
        let path = format!("/fields?session=s&parent_origin=https://a.example&lang={lang}");
        let (_, _, page) = get(&sandbox, &path).await;
        assert!(page.contains(word), "{lang}: {page}");
    }
}

#[tokio::test]
async fn the_challenge_uses_accept_language_and_may_be_framed() {
    let sandbox = Sandbox::start().await;
    let url = sandbox
        .pay("p", CHALLENGE_CARD, json!({}))
        .await
        .text("challenge_url");
    let request = sandbox
        .client
        .get(url)
        .header("Accept-Language", "nl, de-CH;q=0.9, en;q=0.5");
    let response = request.send().await.unwrap();
    let policy = response
        .headers()
        .get("Content-Security-Policy")
        .unwrap()
        .to_str()
        .unwrap();
    assert!(policy.contains("frame-ancestors http: https:"), "{policy}");
    assert!(response.headers().get("X-Frame-Options").is_none());
    let page = response.text().await.unwrap();
    assert!(page.contains("Bestätigung abschließen"), "{page}");
}

#[tokio::test]
async fn every_asset_is_served_with_its_type() {
    let sandbox = Sandbox::start().await;
    for (name, kind) in [
        ("pages.css", "text/css; charset=utf-8"),
        ("fields.js", "text/javascript; charset=utf-8"),
        ("challenge.js", "text/javascript; charset=utf-8"),
    ] {
        let url = sandbox.url(&format!("/assets/{name}"));
        let response = sandbox.client.get(url).send().await.unwrap();
        assert_eq!(response.headers().get("Content-Type").unwrap(), kind);
        assert_eq!(
            response.headers().get("X-Content-Type-Options").unwrap(),
            "nosniff"
        );
    }
    assert_eq!(
        get(&sandbox, "/assets/other").await.0,
        StatusCode::NOT_FOUND
    );
    assert_eq!(get(&sandbox, "/v1/disputes").await.0, StatusCode::NOT_FOUND);
    assert!(get(&sandbox, "/").await.2.contains("4000 0025 0000 3155"));
}
