//! Rate limits per key, address and session.

use std::time::Duration;

use oncharge_adapter_http::{Rate, Settings};
use oncharge_application::merchants::{self, KeySelector};
use serde_json::json;

use crate::support::{TestApp, new_session, settings};

fn rate_limited() -> (u16, String) {
    (429, "rate_limited".to_owned())
}

/// A quota that is not replenished during a test.
fn without_refill(burst: u32) -> Rate {
    Rate::every(Duration::from_secs(3600), burst)
}

#[actix_web::test]
async fn a_key_over_its_quota_is_limited() {
    let app = TestApp::with(Settings {
        per_key: without_refill(3),
        ..settings()
    })
    .await;
    for remaining in ["2", "1", "0"] {
        let response = app.get("/v1/refunds").send().await;
        assert_eq!(response.status, 200);
        assert_eq!(
            response.header("ratelimit-policy"),
            Some("\"key\";q=3;w=10800")
        );
        let limit = response.header("ratelimit").unwrap();
        assert!(
            limit.starts_with(&format!("\"key\";r={remaining};t=")),
            "{limit}"
        );
    }
    // Checked before path, method, media type and body.
    for request in [
        app.get("/v1/refunds"),
        app.get("/v1/nothing"),
        app.request("DELETE", "/v1/refunds"),
        app.post("/v1/refunds", "{")
            .set("Content-Type", "text/plain"),
    ] {
        let response = request.send().await;
        assert_eq!(response.refusal(), rate_limited(), "{response:?}");
        assert!(response.header("retry-after").is_some());
        assert!(
            response
                .header("ratelimit")
                .unwrap()
                .starts_with("\"key\";r=0;")
        );
    }
    let other = app.another_merchant().await;
    assert_eq!(
        app.get("/v1/refunds").by(&other).send().await.status,
        200,
        "another's quota"
    );
}

#[actix_web::test]
async fn unsigned_requests_use_no_key_quota() {
    let app = TestApp::with(Settings {
        per_key: without_refill(2),
        ..settings()
    })
    .await;
    for (name, value) in [
        ("X-Oncharge-Signature", "0".repeat(64)),
        ("X-Oncharge-Timestamp", "1000".to_owned()),
        ("X-Oncharge-Key", "x".to_owned()),
    ] {
        for _ in 0..5 {
            let response = app.get("/v1/refunds").set(name, &value).send().await;
            assert_eq!(response.status, 401, "{name}");
            let shown = response.header("ratelimit");
            assert_eq!(
                shown, None,
                "{name}: an unauthenticated client sees a quota"
            );
            assert_eq!(response.header("ratelimit-policy"), None, "{name}");
        }
    }
    let response = app.get("/v1/refunds").send().await;
    let limit = response.header("ratelimit").unwrap();
    assert!(limit.starts_with("\"key\";r=1;"), "{limit}");
    assert_eq!(app.get("/v1/refunds").send().await.status, 200);
}

#[actix_web::test]
async fn only_failures_count_against_an_address() {
    let app = TestApp::with(Settings {
        per_address: without_refill(3),
        ..settings()
    })
    .await;
    for _ in 0..20 {
        assert_eq!(app.get("/v1/refunds").send().await.status, 200);
        assert_eq!(
            app.get("/v1/nothing").send().await.status,
            404,
            "a failure of a later check"
        );
    }
    let bad = || app.get("/v1/refunds").unsigned();
    for _ in 0..3 {
        assert_eq!(
            bad().send().await.refusal(),
            (401, "missing_auth".to_owned())
        );
    }
    let response = bad().send().await;
    assert_eq!(response.refusal(), rate_limited());
    assert!(response.header("retry-after").is_some());
    let broken = [
        app.get("/v1/refunds").set("X-Oncharge-Key", "x"),
        app.get("/v1/refunds").at(1),
        app.get("/v1/refunds").set("X-Oncharge-Signature", "x"),
        app.get("/checkout/cs_1/status")
            .unsigned()
            .set("Authorization", "Bearer pt_x"),
    ];
    for request in broken {
        let response = request.send().await;
        assert_eq!(response.refusal(), rate_limited());
        assert_eq!(
            response.header("ratelimit"),
            None,
            "a quota of a key is shown"
        );
    }
    assert_eq!(
        app.get("/v1/refunds").send().await.status,
        200,
        "a client with valid requests is refused"
    );
}

#[actix_web::test]
async fn page_requests_with_bad_tokens_count() {
    let app = TestApp::with(Settings {
        per_address: without_refill(2),
        ..settings()
    })
    .await;
    for expected in [401, 401, 429] {
        let response = app.get("/checkout/cs_1?token=pt_x").unsigned().send().await;
        assert_eq!(response.status, expected);
        assert_eq!(
            response.header("content-type"),
            Some("text/html; charset=utf-8")
        );
        assert_eq!(response.header("retry-after").is_some(), expected == 429);
    }
}

#[actix_web::test]
async fn addresses_behind_a_trusted_proxy_are_limited_separately() {
    let trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    let app = TestApp::with(Settings {
        per_address: without_refill(1),
        trusted_proxies,
        ..settings()
    })
    .await;
    let from = |address: &str| {
        app.get("/v1/refunds")
            .unsigned()
            .set("X-Forwarded-For", address)
    };
    assert_eq!(from("192.0.2.1").send().await.status, 401);
    assert_eq!(from("192.0.2.1").send().await.status, 429);
    assert_eq!(from("192.0.2.2").send().await.status, 401);
    let spoofed = from("198.51.100.1, 192.0.2.2").send().await;
    assert_eq!(spoofed.status, 429, "the client's own header value counts");
}

#[actix_web::test]
async fn untrusted_proxies_cannot_name_clients() {
    let app = TestApp::with(Settings {
        per_address: without_refill(1),
        ..settings()
    })
    .await;
    let from = |address: &str| {
        app.get("/v1/refunds")
            .unsigned()
            .set("X-Forwarded-For", address)
    };
    assert_eq!(from("192.0.2.1").send().await.status, 401);
    assert_eq!(from("192.0.2.2").send().await.status, 429);
}

#[actix_web::test]
async fn pay_and_abandon_are_limited_per_session() {
    let app = TestApp::start().await;
    let checkout = app.create(&new_session(&json!({}))).await;
    for path in ["/pay", "/abandon"] {
        for number in 0..10 {
            let response = app.shopper("POST", &checkout, path, "{}").send().await;
            assert!(
                [409, 422].contains(&response.status),
                "{path} {number}: {response:?}"
            );
        }
        let response = app.shopper("POST", &checkout, path, "{}").send().await;
        assert_eq!(response.refusal(), rate_limited(), "{path}");
        assert!(response.header("retry-after").is_some());
    }
    let status = app.shopper("GET", &checkout, "/status", "").send().await;
    assert_eq!(status.status, 200, "reading is counted");
    let other = app.created().await;
    assert_eq!(
        app.pay(&other, "tok_1").await.status,
        200,
        "another session"
    );
}

#[actix_web::test]
async fn a_limited_address_causes_no_store_reads() {
    let app = TestApp::with(Settings {
        per_address: without_refill(2),
        ..settings()
    })
    .await;
    let (known, unknown) = (app.pair.clone(), app.another_merchant().await);
    assert_eq!(app.get("/v1/refunds").send().await.status, 200);
    for _ in 0..2 {
        let response = app.get("/v1/refunds").unsigned().send().await;
        assert_eq!(response.status, 401);
    }
    let reads = app.store.key_reads();
    for _ in 0..20 {
        let made_up = app.get("/v1/refunds").set("X-Oncharge-Key", "ock_x");
        let unsigned = app.get("/v1/refunds").set("X-Oncharge-Signature", "x");
        let never_seen = app.get("/v1/refunds").by(&unknown);
        for request in [made_up, unsigned, never_seen] {
            let response = request.send().await;
            assert_eq!(response.refusal(), rate_limited());
            assert!(response.header("retry-after").is_some());
        }
    }
    assert_eq!(app.store.key_reads(), reads, "a key was looked up");
    let response = app.get("/v1/refunds").by(&known).send().await;
    assert_eq!(response.status, 200, "a known key is refused");
    merchants::revoke_key(&app.app, &KeySelector::Text(&known.key))
        .await
        .unwrap();
    let mut response = app.get("/v1/refunds").by(&known).send().await;
    // A revoked key is served from the cache for at most one second.
    while response.status == 200 {
        response = app.get("/v1/refunds").by(&known).send().await;
    }
    assert_eq!(
        response.refusal(),
        rate_limited(),
        "a revoked key is accepted"
    );
}
