//! The checks and their order: one case per check, and every pair that fails together.

use oncharge_application::merchants::{self, KeySelector};
use serde_json::json;

use crate::support::{Request, TestApp, new_session};

type BreakRequest = fn(Request<'_>) -> Request<'_>;

/// A defect of a request to create a session, and the expected error; in the order of the checks.
const DEFECTS: &[(&str, u16, &str, BreakRequest)] = &[
    ("no signature", 401, "missing_auth", |r| {
        r.without("X-Oncharge-Signature")
    }),
    ("unknown key", 401, "invalid_key", |r| {
        r.set("X-Oncharge-Key", "ock_unknown")
    }),
    ("old timestamp", 401, "timestamp_expired", |r| {
        r.set("X-Oncharge-Timestamp", "1000")
    }),
    ("wrong signature", 401, "invalid_signature", |mut r| {
        r = r.set("X-Oncharge-Signature", &"0".repeat(64));
        r
    }),
    ("unknown path", 404, "not_found", |mut r| {
        r.target = "/v1/nothing".into();
        r
    }),
    ("other method", 405, "method_not_allowed", |mut r| {
        r.method = "DELETE".into();
        r
    }),
    ("media type", 415, "unsupported_media_type", |r| {
        r.set("Content-Type", "text/plain")
    }),
    ("no JSON", 400, "invalid_request", |mut r| {
        r.body = b"{".to_vec();
        r
    }),
    ("unknown parameter", 400, "invalid_request", |mut r| {
        if r.target == "/v1/checkout/sessions" {
            r.target.push_str("?dry_run=1");
        }
        r
    }),
    ("bad idempotency key", 400, "invalid_request", |r| {
        r.set("Idempotency-Key", "a b")
    }),
    ("bad field", 422, "invalid_request", |mut r| {
        if r.body != b"{" {
            r.body = b"{}".to_vec();
        }
        r
    }),
];

fn good(app: &TestApp) -> Request<'_> {
    app.post("/v1/checkout/sessions", new_session(&json!({})).to_string())
}

#[actix_web::test]
async fn each_failed_check_has_its_code() {
    let app = TestApp::start().await;
    for (name, status, code, break_request) in DEFECTS {
        let response = break_request(good(&app)).send().await;
        assert_eq!(
            response.refusal(),
            (*status, (*code).to_owned()),
            "{name}: {response:?}"
        );
    }
    assert_eq!(app.store.commits(), 0, "something was written");
    assert_eq!(
        good(&app).send().await.status,
        201,
        "a valid request is refused"
    );
}

#[actix_web::test]
async fn the_first_failed_check_decides() {
    let app = TestApp::start().await;
    for (first, (one, status, code, break_request)) in DEFECTS.iter().enumerate() {
        for (other, _, _, break_more) in &DEFECTS[first + 1..] {
            // An unsigned request stays unsigned: the defect of the later check is applied first.
            let response = break_request(break_more(good(&app))).send().await;
            let refusal = (*status, (*code).to_owned());
            assert_eq!(
                response.refusal(),
                refusal,
                "{one} and {other}: {response:?}"
            );
        }
    }
    assert_eq!(app.store.commits(), 0, "something was written");
}

#[actix_web::test]
async fn every_error_has_the_documented_shape() {
    let app = TestApp::start().await;
    for (name, _, _, break_request) in DEFECTS {
        let response = break_request(good(&app)).send().await;
        let json = response.json();
        let id = response.header("x-request-id").unwrap();
        assert_eq!(json["request_id"], id, "{name}");
        assert!(!json["message"].as_str().unwrap().is_empty(), "{name}");
        assert_eq!(
            response.header("content-type"),
            Some("application/json"),
            "{name}"
        );
        assert_eq!(response.header("cache-control"), Some("no-store"), "{name}");
        assert!(
            !response
                .header_names()
                .any(|one| one.starts_with("access-control")),
            "{name}"
        );
    }
    let wrong = good(&app)
        .set("X-Oncharge-Signature", &"0".repeat(64))
        .send()
        .await;
    assert_eq!(
        wrong.json()["message"],
        "HMAC signature verification failed"
    );
    let own = good(&app).set("X-Request-Id", "mine").send().await;
    assert_ne!(
        own.header("x-request-id"),
        Some("mine"),
        "a client's request id is used"
    );
}

#[actix_web::test]
async fn signing_headers_must_be_single_non_empty_ascii() {
    let app = TestApp::start().await;
    for name in [
        "X-Oncharge-Key",
        "X-Oncharge-Timestamp",
        "X-Oncharge-Signature",
    ] {
        let broken = [
            ("absent", good(&app).without(name)),
            ("empty", good(&app).set(name, "")),
            ("blank", good(&app).set(name, " ")),
            ("repeated", good(&app).add(name, "1")),
            (
                "not ASCII",
                good(&app).without(name).add(name, "é".as_bytes()),
            ),
        ];
        for (how, request) in broken {
            let response = request.send().await;
            let refusal = (401, "missing_auth".to_owned());
            assert_eq!(response.refusal(), refusal, "{name} {how}: {response:?}");
            let message = response.json()["message"].to_string();
            assert!(message.contains(name), "{name} {how}: {message}");
        }
    }
}

#[actix_web::test]
async fn timestamps_have_five_minutes_of_tolerance() {
    let app = TestApp::start().await;
    let now = app.now();
    for good_one in [now - 300, now + 300, now] {
        let response = app.get("/v1/refunds").at(good_one).send().await;
        assert_eq!(response.status, 200, "{good_one}");
    }
    let padded = app
        .get("/v1/refunds")
        .at(format!("00{now}").as_str())
        .send()
        .await;
    assert_eq!(padded.status, 200, "12 digits");
    let wrong = [
        (now - 301).to_string(),
        (now + 301).to_string(),
        format!("{now}.0"),
        format!("+{now}"),
        format!("{now}000"),
        "yesterday".to_owned(),
    ];
    for bad in wrong {
        let response = app.get("/v1/refunds").at(bad.as_str()).send().await;
        assert_eq!(
            response.refusal(),
            (401, "timestamp_expired".to_owned()),
            "{bad}"
        );
    }
}

#[actix_web::test]
async fn a_revoked_key_is_refused() {
    let app = TestApp::start().await;
    let pair = app.another_merchant().await;
    merchants::revoke_key(&app.app, &KeySelector::Text(&pair.key))
        .await
        .unwrap();
    let response = app.get("/v1/refunds").by(&pair).send().await;
    assert_eq!(response.refusal(), (401, "invalid_key".to_owned()));
}

#[actix_web::test]
async fn unknown_paths_outside_v1_need_no_signature() {
    let app = TestApp::start().await;
    for target in [
        "/nothing",
        "/v1",
        "/v2/checkout/sessions",
        "/docs/more",
        "/healthz",
    ] {
        let response = app.get(target).unsigned().send().await;
        assert_eq!(
            response.refusal(),
            (404, "not_found".to_owned()),
            "{target}"
        );
    }
    for target in ["/v1/", "/v1/nothing", "/v1/refunds/"] {
        let response = app.get(target).unsigned().send().await;
        assert_eq!(
            response.refusal(),
            (401, "missing_auth".to_owned()),
            "{target}"
        );
        let response = app.get(target).send().await;
        assert_eq!(
            response.refusal(),
            (404, "not_found".to_owned()),
            "{target}"
        );
    }
}

#[actix_web::test]
async fn other_methods_get_an_allow_header() {
    let app = TestApp::start().await;
    for (target, allowed) in [
        ("/v1/checkout/sessions", "GET, HEAD, POST"),
        ("/v1/checkout/sessions/cs_1", "GET, HEAD"),
        ("/v1/checkout/sessions/cs_1/cancel", "POST"),
        ("/v1/checkout/sessions/cs_1/capture", "POST"),
        ("/v1/checkout/sessions/cs_1/expire", "POST"),
        ("/v1/refunds", "GET, HEAD, POST"),
        ("/v1/refunds/ref_1", "GET, HEAD"),
        ("/v1/events", "GET, HEAD"),
        ("/v1/events/evt_1", "GET, HEAD"),
        ("/v1/events/evt_1/redeliver", "POST"),
        ("/v1/webhook_endpoint", "GET, HEAD, PUT, DELETE"),
        ("/v1/webhook_endpoint/test", "POST"),
        ("/v1/webhook_endpoint/rotate_secret", "POST"),
        ("/v1/api_keys", "GET, HEAD"),
        ("/v1/api_keys/key_1", "DELETE"),
        ("/v1/api_keys/rotate", "POST"),
        ("/checkout/cs_1", "GET, HEAD"),
        ("/checkout/cs_1/pay", "POST"),
        ("/checkout/cs_1/abandon", "POST"),
        ("/checkout/cs_1/status", "GET, HEAD"),
        ("/webhooks/psp/simulator/default", "POST"),
        ("/openapi.json", "GET, HEAD"),
        ("/", "GET, HEAD"),
    ] {
        let others = ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW"];
        let refused = |method: &&str| allowed.split(", ").all(|one| one != *method);
        for method in others.into_iter().filter(refused) {
            let response = app.request(method, target).send().await;
            let refusal = (405, "method_not_allowed".to_owned());
            assert_eq!(response.refusal(), refusal, "{method} {target}");
            assert_eq!(response.header("allow"), Some(allowed), "{method} {target}");
        }
    }
}

#[actix_web::test]
async fn json_and_default_media_types_are_accepted() {
    let app = TestApp::start().await;
    for good_one in [
        "application/json",
        "application/json; charset=utf-8",
        "APPLICATION/JSON",
        "application/vnd.api+json",
        "application/x-www-form-urlencoded",
    ] {
        let response = good(&app).set("Content-Type", good_one).send().await;
        assert_eq!(response.status, 201, "{good_one}");
    }
    for bad in [
        "text/plain",
        "text/json",
        "multipart/form-data; boundary=x",
        "application/xml",
    ] {
        let response = good(&app).set("Content-Type", bad).send().await;
        assert_eq!(
            response.refusal(),
            (415, "unsupported_media_type".to_owned()),
            "{bad}"
        );
    }
    let twice = good(&app)
        .add("Content-Type", "application/json")
        .add("Content-Type", "text/xml");
    assert_eq!(twice.send().await.status, 415);
}
