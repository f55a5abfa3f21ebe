//! `POST /v1/api_keys/rotate`

use futures_util::future::join_all;
use oncharge_domain::{
    audit::AuditAction,
    signing::{Signed, SigningKey, sha256, signing_string},
    webhook::WebhookSecret,
};
use oncharge_testkit::CommitFault;
use serde_json::json;

use crate::support::{Answer, Pair, SHOP, TestApp};

const TARGET: &str = "/v1/api_keys/rotate";
const DAY: i64 = 86_400;

fn pair(answer: &Answer) -> Pair {
    assert_eq!(answer.status, 201, "{answer:?}");
    let text = |name: &str| answer.json()[name].as_str().unwrap().to_owned();
    Pair {
        key: text("api_key"),
        secret: text("api_secret"),
    }
}

/// Waits until this pair is no longer good; keys are cached for a second.
async fn ends(app: &TestApp, pair: &Pair) {
    let until = std::time::Instant::now() + std::time::Duration::from_secs(5);
    loop {
        let answer = app.get("/v1/refunds").at(app.now()).by(pair).send().await;
        if answer.status == 401 {
            assert_eq!(answer.refusal(), (401, "invalid_key".to_owned()));
            return;
        }
        assert!(std::time::Instant::now() < until, "it is good: {answer:?}");
    }
}

/// How many pairs were made in place of others.
fn rotations(app: &TestApp) -> usize {
    let audit = app.store.audit();
    let rotated = audit
        .iter()
        .filter(|entry| entry.action == AuditAction::KeyRotated);
    rotated.count()
}

async fn is_good(app: &TestApp, pair: &Pair) -> bool {
    let answer = app.get("/v1/refunds").at(app.now()).by(pair).send().await;
    answer.status == 200
}

#[actix_web::test]
async fn a_new_pair_is_shown_and_the_old_one_works_on() {
    let app = TestApp::start().await;
    let answer = app.post(TARGET, "").send().await;
    let new = pair(&answer);
    let json = answer.json();
    insta::assert_json_snapshot!("rotated", json, {
        ".api_key" => "[key]", ".api_secret" => "[secret]",
    });
    assert_ne!((&new.key, &new.secret), (&app.pair.key, &app.pair.secret));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    for signer in [&app.pair, &new] {
        let get = app.get("/v1/refunds").by(signer).send().await;
        assert_eq!(get.status, 200, "{get:?}");
    }
    app.clock.advance(14 * DAY - 1);
    assert!(is_good(&app, &app.pair).await, "to its last second");
    app.clock.advance(1);
    ends(&app, &app.pair).await;
    assert!(is_good(&app, &new).await);
}

#[actix_web::test]
async fn the_old_pair_is_revoked_at_once_on_request() {
    let app = TestApp::start().await;
    let answer = app.post(TARGET, r#"{"revoke_old":true}"#).send().await;
    let new = pair(&answer);
    let ended = answer.json()["previous_key_ends_at"].clone();
    assert_eq!(ended, "2026-11-22T17:09:10Z", "now");
    ends(&app, &app.pair).await;
    assert!(is_good(&app, &new).await);
}

#[actix_web::test]
async fn a_lost_answer_can_be_asked_for_again() {
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
    let by_new = app
        .post(TARGET, "{}")
        .by(&pair(&first))
        .set("Idempotency-Key", "rotation-1");
    assert_eq!(
        by_new.send().await.refusal(),
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
async fn equal_requests_at_once_make_one_pair() {
    let app = TestApp::start().await;
    let one = || {
        app.post(TARGET, "")
            .set("Idempotency-Key", "rotation-1")
            .send()
    };
    let answers = join_all((0..8).map(|_| one())).await;
    assert!(
        answers
            .iter()
            .all(|answer| answer.status == 201 && answer.body == answers[0].body),
        "{answers:?}"
    );
    assert_eq!(rotations(&app), 1);
}

#[actix_web::test]
async fn a_bad_body_is_refused_and_nothing_rotates() {
    let app = TestApp::start().await;
    for bad in [json!("true"), json!(1), json!([]), json!({}), json!("")] {
        let body = json!({"revoke_old": bad}).to_string();
        let answer = app.post(TARGET, body.clone()).send().await;
        let refusal = (422, "invalid_request".to_owned());
        assert_eq!(answer.refusal(), refusal, "{body}");
        assert_eq!(answer.fields(), ["revoke_old"], "{body}");
    }
    for bad in ["true", "[]", "{", "{}{}"] {
        let answer = app.post(TARGET, bad).send().await;
        let refusal = (400, "invalid_request".to_owned());
        assert_eq!(answer.refusal(), refusal, "{bad}");
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
async fn through_the_grace_period_the_endpoint_keeps_its_api_key() {
    let app = TestApp::start().await;
    app.listen(&app.pair, SHOP).await;
    let new = pair(&app.post(TARGET, "").send().await);
    let signed_by = async || {
        app.authorized().await;
        app.deliver().await;
        let sent = app.sender.sent_to(SHOP).pop().unwrap();
        let plain = sent.headers.iter();
        let mut plain = plain.filter(|(name, _)| *name == "X-Oncharge-Signature");
        let (_, plain) = plain.next_back().unwrap();
        let verified = |pair: &Pair| {
            let key = SigningKey::of_secret(&pair.secret);
            key.verify_webhook(plain, &sent.body).is_ok()
        };
        (verified(&app.pair), verified(&new))
    };
    assert_eq!(signed_by().await, (true, false), "as it was set");
    app.listen(&new, SHOP).await;
    assert_eq!(signed_by().await, (false, true), "set again");
}

/// Every call on keys and webhook endpoints, but for the end of the key itself.
#[actix_web::test]
async fn a_key_in_its_grace_period_can_end_only_itself() {
    let app = TestApp::start().await;
    app.listen(&app.pair, SHOP).await;
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
        let answer = request.send().await;
        let refusal = (403, "key_ending".to_owned());
        assert_eq!(answer.refusal(), refusal, "{method} {target}: {answer:?}");
    }
    assert!(is_good(&app, &app.pair).await, "it does everything else");
    let own = format!("/v1/api_keys/{}", id(1));
    let ended = app.request("DELETE", &own).send().await;
    assert_eq!((ended.status, ended.text()), (204, ""));
    ends(&app, &app.pair).await;
}

/// Its bytes were an HMAC key of the API once.
#[actix_web::test]
async fn the_webhook_secret_is_no_credential_of_the_api() {
    let app = TestApp::start().await;
    let endpoint = app.listen(&app.pair, SHOP).await;
    let text = endpoint["signing_secret"].as_str().unwrap();
    let secret: WebhookSecret = text.parse().unwrap();
    let timestamp = app.now().to_string();
    let request = Signed {
        timestamp: &timestamp,
        method: "GET",
        target: "/v1/refunds",
        body: b"",
    };
    let raw = hmac_of(secret.expose_bytes(), signing_string(&request).as_bytes());
    let by_text = SigningKey::from_bytes(*secret.expose_bytes()).sign(&request);
    for signature in [raw, by_text] {
        let answer = app
            .get("/v1/refunds")
            .set("X-Oncharge-Signature", &signature)
            .send()
            .await;
        assert_eq!(answer.refusal(), (401, "invalid_signature".to_owned()));
    }
}

/// HMAC-SHA256 as hex, made of nothing but SHA-256.
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
async fn where_nothing_could_be_written_the_old_pair_stays() {
    let app = TestApp::start().await;
    app.store.fail_write(1, CommitFault::Before);
    let rotate = || app.post(TARGET, r#"{"revoke_old":true}"#);
    let answer = rotate().send().await;
    assert_eq!(answer.refusal(), (503, "busy".to_owned()), "{answer:?}");
    assert!(is_good(&app, &app.pair).await);
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
        "5 API keys are in their grace period: end one with DELETE /v1/api_keys/{key_id}, or rotate \
         with revoke_old"
    );
    let revoking = app.post(TARGET, r#"{"revoke_old":true}"#).by(&signer);
    assert_eq!(revoking.send().await.status, 201);
}
