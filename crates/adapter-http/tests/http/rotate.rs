//! `POST /v1/api_keys/rotate`

use futures_util::future::join_all;
use oncharge_domain::{audit::AuditAction, signing::SigningKey, webhook::WebhookSecret};
use oncharge_ports::Clock as _;
use oncharge_testkit::CommitFault;
use serde_json::{Value, json};

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
        by_new.send().await.body,
        first.body,
        "keys are the merchant's"
    );
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
async fn through_the_grace_webhooks_are_signed_for_both() {
    let app = TestApp::start().await;
    let before = app.listen(&app.pair, SHOP).await;
    let new = pair(&app.post(TARGET, "").send().await);
    let get = app.get("/v1/webhook_endpoint").by(&new).send().await;
    assert_eq!(get.json()["signing_secret"], before["signing_secret"]);
    app.authorized().await;
    app.deliver().await;
    let sent = app.sender.sent_to(SHOP);
    let header = |name: &str| {
        let found = sent[0].headers.iter().find(|(one, _)| *one == name);
        found.unwrap().1.as_str()
    };
    let standard = (
        header("webhook-id"),
        header("webhook-timestamp"),
        header("webhook-signature"),
    );
    let secret = |pair: &Pair| WebhookSecret::of(&SigningKey::of_secret(&pair.secret));
    let plain = header("X-Oncharge-Signature");
    let now = app.clock.now();
    for signer in [&app.pair, &new] {
        let verified = secret(signer).verify_standard(standard, &sent[0].body, now);
        assert_eq!(verified, Ok(()));
    }
    let verified = |pair: &Pair| secret(pair).verify(plain, &sent[0].body).is_ok();
    assert_eq!(
        (verified(&app.pair), verified(&new)),
        (true, false),
        "the endpoint keeps the key that it was set with"
    );
    let after = app.listen(&new, SHOP).await;
    assert_ne!(after["signing_secret"], before["signing_secret"]);
    let text = secret(&new).text();
    assert_eq!(after["signing_secret"], Value::from(text.as_str()));
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
