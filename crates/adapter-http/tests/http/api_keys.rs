//! `GET /v1/api_keys`, `DELETE /v1/api_keys/{key_id}` and
//! `POST /v1/webhook_endpoint/rotate_secret`

use oncharge_application::merchants;
use serde_json::{Value, json};

use crate::support::{ENDPOINT_URL, Pair, TestApp};

const TARGET: &str = "/v1/api_keys";
const ROTATE_SECRET: &str = "/v1/webhook_endpoint/rotate_secret";

async fn listed(app: &TestApp) -> Vec<Value> {
    let response = app.get(TARGET).at(app.now()).send().await;
    assert_eq!(response.status, 200, "{response:?}");
    response.json()["data"].as_array().unwrap().clone()
}

#[actix_web::test]
async fn keys_are_listed_with_their_hints_and_times() {
    let app = TestApp::start().await;
    app.clock.advance(60);
    let rotated = app
        .post("/v1/api_keys/rotate", "")
        .at(app.now())
        .send()
        .await;
    let rotated = rotated.json();
    let new = Pair {
        key: rotated["api_key"].as_str().unwrap().to_owned(),
        secret: rotated["api_secret"].as_str().unwrap().to_owned(),
    };
    app.app.drain().await;
    let response = app.get(TARGET).at(app.now()).by(&new).send().await;
    assert_eq!(response.header("cache-control"), Some("no-store"));
    let data = response.json()["data"].as_array().unwrap().clone();
    let hint = |key: &str| json!(key[key.len() - 4..]);
    assert_eq!(data.len(), 2, "newest first: {data:?}");
    assert_eq!(data[0]["key_hint"], hint(&new.key));
    assert_eq!(data[0]["created_at"], "2026-11-22T17:10:10Z");
    assert_eq!(data[0]["ends_at"], Value::Null);
    assert_eq!(data[1]["key_hint"], hint(&app.pair.key));
    assert_eq!(data[1]["created_at"], "2026-11-22T17:09:10Z");
    assert_eq!(data[1]["last_used_at"], "2026-11-22T17:10:10Z");
    assert_eq!(data[1]["ends_at"], rotated["previous_key_ends_at"]);
    for secret in [&new.key, &new.secret, &app.pair.key, &app.pair.secret] {
        assert!(!response.text().contains(secret.as_str()), "{response:?}");
    }
}

#[actix_web::test]
async fn merchants_list_and_end_only_their_own_keys() {
    let app = TestApp::start().await;
    let other = app.another_merchant().await;
    let ours = listed(&app).await;
    assert_eq!(ours.len(), 1);
    let target = format!("{TARGET}/{}", ours[0]["key_id"].as_str().unwrap());
    let none = (404, "not_found".to_owned());
    let foreign = app.request("DELETE", &target).by(&other).send().await;
    assert_eq!(foreign.refusal(), none);
    for unknown in ["key_1", "KEY_", "key_00000000000070008000000000000001"] {
        let unknown = format!("{TARGET}/{unknown}");
        let response = app.request("DELETE", &unknown).send().await;
        assert_eq!(response.refusal(), none, "{unknown}");
    }
    let last = app.request("DELETE", &target).send().await;
    assert_eq!(last.refusal(), (409, "invalid_state".to_owned()));
    assert_eq!(listed(&app).await.len(), 1, "nothing has ended");
}

#[actix_web::test]
async fn an_ended_key_is_refused_and_not_listed() {
    let app = TestApp::start().await;
    let merchant = app.merchant().await;
    let pair = merchants::add_key(&app.app, merchant).await.unwrap();
    let keys = listed(&app).await;
    let hint = &pair.api_key[pair.api_key.len() - 4..];
    let key = keys.iter().find(|key| key["key_hint"] == hint).unwrap();
    let target = format!("{TARGET}/{}", key["key_id"].as_str().unwrap());
    let ended = app.request("DELETE", &target).send().await;
    assert_eq!((ended.status, ended.text()), (204, ""));
    let pair = Pair {
        key: pair.api_key,
        secret: pair.api_secret.to_string(),
    };
    let refused = app.get("/v1/refunds").by(&pair).send().await;
    assert_eq!(refused.refusal(), (401, "invalid_key".to_owned()));
    assert_eq!(listed(&app).await.len(), 1);
    let again = app.request("DELETE", &target).send().await;
    assert_eq!(again.refusal(), (404, "not_found".to_owned()));
}

#[actix_web::test]
async fn a_new_webhook_secret_is_shown_once() {
    let app = TestApp::start().await;
    let none = app.post(ROTATE_SECRET, "").send().await;
    assert_eq!(none.refusal(), (404, "not_found".to_owned()));
    let first = app.set_endpoint(&app.pair, ENDPOINT_URL).await;
    app.clock.advance(5);
    let rotate = |body: &str| {
        let post = app.post(ROTATE_SECRET, body);
        post.set("Idempotency-Key", "k1").send()
    };
    let rotated = rotate("{}").await;
    assert_eq!(rotated.status, 200, "{rotated:?}");
    let shown = rotated.json();
    let secret = shown["signing_secret"].as_str().unwrap();
    assert_ne!(first["signing_secret"], secret);
    assert_eq!(shown["url"], ENDPOINT_URL);
    assert_eq!(shown["updated_at"], "2026-11-22T17:09:15Z");
    let again = rotate("{}").await;
    assert_eq!((again.status, &again.body), (200, &rotated.body));
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    let reused = rotate(r#"{"revoke_old":true}"#).await;
    assert_eq!(reused.refusal(), (422, "idempotency_key_reused".to_owned()));
    let get = app.get("/v1/webhook_endpoint").send().await.json();
    assert_eq!(get["secret_hint"], secret[secret.len() - 4..]);
    assert_eq!(get.get("signing_secret"), None);
    let bad = app
        .post(ROTATE_SECRET, r#"{"revoke_old":"yes"}"#)
        .send()
        .await;
    assert_eq!(bad.refusal(), (422, "invalid_request".to_owned()));
    assert_eq!(bad.fields(), ["revoke_old"]);
}
