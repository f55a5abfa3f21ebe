//! `POST /v1/api_keys/rotate`

use futures_util::future::join_all;
use oncharge_domain::{
    audit::AuditAction,
    signing::{SignedRequest, SigningKey, sha256, signing_string},
    webhook::WebhookSecret,
};
use oncharge_testkit::CommitFault;
use serde_json::json;

use crate::support::{ENDPOINT_URL, Pair, Response, TestApp};

const TARGET: &str = "/v1/api_keys/rotate";
const DAY: i64 = 86_400;

fn pair(response: &Response) -> Pair {
    assert_eq!(response.status, 201, "{response:?}");
    let text = |name: &str| response.json()[name].as_str().unwrap().to_owned();
    Pair {
        key: text("api_key"),
        secret: text("api_secret"),
    }
}

/// Waits until this pair is refused; keys are cached for a second.
async fn wait_until_refused(app: &TestApp, pair: &Pair) {
    let until = std::time::Instant::now() + std::time::Duration::from_secs(5);
    loop {
        let response = app.get("/v1/refunds").at(app.now()).by(pair).send().await;
        if response.status == 401 {
            assert_eq!(response.refusal(), (401, "invalid_key".to_owned()));
            return;
        }
        assert!(
            std::time::Instant::now() < until,
            "the pair is accepted: {response:?}"
        );
    }
}

/// The number of pairs created by rotations.
fn rotations(app: &TestApp) -> usize {
    let audit = app.store.audit();
    let rotated = audit
        .iter()
        .filter(|entry| entry.action == AuditAction::KeyRotated);
    rotated.count()
}

async fn is_accepted(app: &TestApp, pair: &Pair) -> bool {
    let response = app.get("/v1/refunds").at(app.now()).by(pair).send().await;
    response.status == 200
}

#[actix_web::test]
async fn rotation_creates_a_pair_and_keeps_the_old_one() {
    let app = TestApp::start().await;
    let response = app.post(TARGET, "").send().await;
    let new = pair(&response);
    let json = response.json();
    insta::assert_json_snapshot!("rotated", json, {
        ".api_key" => "[key]", ".api_secret" => "[secret]",
    });
    assert_ne!((&new.key, &new.secret), (&app.pair.key, &app.pair.secret));
    assert_eq!(response.header("cache-control"), Some("no-store"));
    for signer in [&app.pair, &new] {
        let get = app.get("/v1/refunds").by(signer).send().await;
        assert_eq!(get.status, 200, "{get:?}");
    }
    app.clock.advance(14 * DAY - 1);
    assert!(
        is_accepted(&app, &app.pair).await,
        "the old pair is refused before its end"
    );
    app.clock.advance(1);
    wait_until_refused(&app, &app.pair).await;
    assert!(is_accepted(&app, &new).await);
}

#[actix_web::test]
async fn the_old_pair_can_be_revoked_immediately() {
    let app = TestApp::start().await;
    let response = app.post(TARGET, r#"{"revoke_old":true}"#).send().await;
    let new = pair(&response);
    let ended = response.json()["previous_key_ends_at"].clone();
    assert_eq!(ended, "2026-11-22T17:09:10Z", "now");
    wait_until_refused(&app, &app.pair).await;
    assert!(is_accepted(&app, &new).await);
}

#[actix_web::test]
async fn a_repeated_rotation_returns_the_same_pair() {
    let app = TestApp::start().await;
    let rotate = |body: &str| {
        app.post(TARGET, body)
            .set("Idempotency-Key", "rotation-1")
            .send()
    };
    let first = rotate("{}").await;
    let again = rotate("{}").await;
    assert_eq!((again.status, &again.body), (201, &first.body));
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    let other = rotate(r#"{"revoke_old":true}"#).await;
    assert_eq!(other.refusal(), (422, "idempotency_key_reused".to_owned()));
    let with_new_key = app
        .post(TARGET, "{}")
        .by(&pair(&first))
        .set("Idempotency-Key", "rotation-1");
    assert_eq!(
        with_new_key.send().await.refusal(),
        (422, "idempotency_key_reused".to_owned()),
        "another key of the merchant"
    );
    app.clock.advance(601);
    let late = app
        .post(TARGET, "{}")
        .at(app.now())
        .set("Idempotency-Key", "rotation-1");
    assert_eq!(
        late.send().await.refusal(),
        (403, "key_ending".to_owned()),
        "after ten minutes"
    );
    assert_eq!(rotations(&app), 1);
}

#[actix_web::test]
async fn concurrent_rotations_create_one_pair() {
    let app = TestApp::start().await;
    let one = || {
        app.post(TARGET, "")
            .set("Idempotency-Key", "rotation-1")
            .send()
    };
    let responses = join_all((0..8).map(|_| one())).await;
    assert!(
        responses
            .iter()
            .all(|response| response.status == 201 && response.body == responses[0].body),
        "{responses:?}"
    );
    assert_eq!(rotations(&app), 1);
}

#[actix_web::test]
async fn invalid_bodies_are_refused() {
    let app = TestApp::start().await;
    for bad in [json!("true"), json!(1), json!([]), json!({}), json!("")] {
        let body = json!({"revoke_old": bad}).to_string();
        let response = app.post(TARGET, body.clone()).send().await;
        let refusal = (422, "invalid_request".to_owned());
        assert_eq!(response.refusal(), refusal, "{body}");
        assert_eq!(response.fields(), ["revoke_old"], "{body}");
    }
    for bad in ["true", "[]", "{", "{}{}"] {
        let response = app.post(TARGET, bad).send().await;
        let refusal = (400, "invalid_request".to_owned());
        assert_eq!(response.refusal(), refusal, "{bad}");
    }
    assert_eq!(rotations(&app), 0);
    let absent = app
        .post(TARGET, r#"{"revoke_old":null,"x":1}"#)
        .send()
        .await;
    assert_ne!(
        absent.json()["previous_key_ends_at"],
        "2026-11-22T17:09:10Z",
        "null is absent"
    );
}

#[actix_web::test]
async fn the_endpoint_keeps_its_api_key_in_the_grace_period() {
    let app = TestApp::start().await;
    app.set_endpoint(&app.pair, ENDPOINT_URL).await;
    let new = pair(&app.post(TARGET, "").send().await);
    let signed_by = async || {
        app.authorized().await;
        app.deliver().await;
        let sent = app.sender.sent_to(ENDPOINT_URL).pop().unwrap();
        let plain = sent.headers.iter();
        let mut plain = plain.filter(|(name, _)| *name == "X-Oncharge-Signature");
        let (_, plain) = plain.next_back().unwrap();
        let verified = |pair: &Pair| {
            let key = SigningKey::of_secret(&pair.secret);
            key.verify_webhook(plain, &sent.body).is_ok()
        };
        (verified(&app.pair), verified(&new))
    };
    assert_eq!(
        signed_by().await,
        (true, false),
        "the API key that signs deliveries"
    );
    app.set_endpoint(&new, ENDPOINT_URL).await;
    assert_eq!(signed_by().await, (false, true), "set again");
}

/// All calls on keys and webhook endpoints, except for ending the key itself.
#[actix_web::test]
async fn a_key_in_its_grace_period_can_end_only_itself() {
    let app = TestApp::start().await;
    app.set_endpoint(&app.pair, ENDPOINT_URL).await;
    let new = pair(&app.post(TARGET, "").send().await);
    let listed = app.get("/v1/api_keys").by(&new).send().await.json();
    let id = |index: usize| listed["data"][index]["key_id"].as_str().unwrap();
    let put = json!({ "url": "https://evil.example.com/" }).to_string();
    for (method, target, body) in [
        ("GET", "/v1/api_keys", ""),
        ("POST", TARGET, ""),
        ("DELETE", &format!("/v1/api_keys/{}", id(0)), ""),
        ("DELETE", "/v1/api_keys/key_1", ""),
        ("GET", "/v1/webhook_endpoint", ""),
        ("PUT", "/v1/webhook_endpoint", &put),
        ("DELETE", "/v1/webhook_endpoint", ""),
        ("POST", "/v1/webhook_endpoint/test", ""),
        ("POST", "/v1/webhook_endpoint/rotate_secret", ""),
    ] {
        let mut request = app.request(method, target);
        request.body = body.into();
        let response = request.send().await;
        let refusal = (403, "key_ending".to_owned());
        assert_eq!(
            response.refusal(),
            refusal,
            "{method} {target}: {response:?}"
        );
        assert_eq!(response.header("oncharge-warning"), None, "{response:?}");
    }
    assert!(
        is_accepted(&app, &app.pair).await,
        "another request is refused"
    );
    let own = format!("/v1/api_keys/{}", id(1));
    let ended = app.request("DELETE", &own).send().await;
    assert_eq!((ended.status, ended.text()), (204, ""));
    wait_until_refused(&app, &app.pair).await;
}

/// A regression test: the bytes of this secret were once a valid HMAC key of the API.
#[actix_web::test]
async fn the_webhook_secret_cannot_sign_requests() {
    let app = TestApp::start().await;
    let endpoint = app.set_endpoint(&app.pair, ENDPOINT_URL).await;
    let text = endpoint["signing_secret"].as_str().unwrap();
    let secret: WebhookSecret = text.parse().unwrap();
    let timestamp = app.now().to_string();
    let request = SignedRequest {
        timestamp: &timestamp,
        method: "GET",
        target: "/v1/refunds",
        body: b"",
    };
    let raw = hmac_of(secret.expose_bytes(), signing_string(&request).as_bytes());
    let by_text = SigningKey::from_bytes(*secret.expose_bytes()).sign(&request);
    for signature in [raw, by_text] {
        let response = app
            .get("/v1/refunds")
            .set("X-Oncharge-Signature", &signature)
            .send()
            .await;
        assert_eq!(response.refusal(), (401, "invalid_signature".to_owned()));
    }
}

/// HMAC-SHA256 as hex, implemented with SHA-256 only.
fn hmac_of(key: &[u8; 32], text: &[u8]) -> String {
    let pad = |byte: u8| {
        let mut block = [byte; 64];
        for (to, from) in block.iter_mut().zip(key) {
            *to ^= from;
        }
        block
    };
    let inner = sha256(&[&pad(0x36), text].concat());
    hex::encode(sha256(&[&pad(0x5c)[..], &inner].concat()))
}

#[actix_web::test]
async fn a_failed_write_keeps_the_old_pair() {
    let app = TestApp::start().await;
    app.store.fail_write(1, CommitFault::Before);
    let rotate = || app.post(TARGET, r#"{"revoke_old":true}"#);
    let response = rotate().send().await;
    assert_eq!(response.refusal(), (503, "busy".to_owned()), "{response:?}");
    assert!(is_accepted(&app, &app.pair).await);
    assert_eq!(rotate().send().await.status, 201);
}

#[actix_web::test]
async fn a_sixth_pair_in_grace_is_refused_with_the_ways_out() {
    let app = TestApp::start().await;
    let mut signer = pair(&app.post(TARGET, "").send().await);
    for _ in 0..4 {
        signer = pair(&app.post(TARGET, "").by(&signer).send().await);
    }
    let sixth = app.post(TARGET, "").by(&signer).send().await;
    assert_eq!(sixth.refusal(), (409, "invalid_state".to_owned()));
    assert_eq!(
        sixth.json()["message"],
        "5 API keys are in their grace period: delete one with DELETE /v1/api_keys/{key_id}, or \
         rotate with revoke_old"
    );
    let revoking = app.post(TARGET, r#"{"revoke_old":true}"#).by(&signer);
    assert_eq!(revoking.send().await.status, 201);
}
