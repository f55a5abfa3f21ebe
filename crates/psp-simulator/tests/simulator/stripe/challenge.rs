//! 3-D Secure: `next_action`, the bank's page, the confirmation after it.

use serde_json::json;

use super::client::Face;
use crate::sandbox::{APPROVED_CARD, CHALLENGE_CARD};

#[tokio::test]
async fn with_manual_confirmation_the_server_confirms_after_a_pass() {
    let mut face = Face::start().await;
    let (id, url) = face.challenged("p").await;
    assert!(url.starts_with(&face.sandbox.url("/challenge/")), "{url}");
    let again = face.act(&id, "confirm", "").await;
    assert_eq!(again.error().2, "payment_intent_unexpected_state");
    face.sandbox.end_challenge(&url, "pass").await;
    let passed = face.intent(&id).await;
    assert_eq!(passed.text("/status"), "requires_confirmation");
    assert_eq!(passed.body["next_action"], json!(null));
    assert_eq!(passed.body["latest_charge"], json!(null));
    assert_eq!(face.sandbox.ledger("p").await, Vec::<String>::new());

    // Another card cannot be confirmed in place of the authenticated one.
    let other = format!("payment_method={}", face.method(APPROVED_CARD).await);
    let refused = face.act(&id, "confirm", &other).await;
    assert_eq!(refused.error().2, "payment_intent_unexpected_state");

    let confirmed = face
        .post_as("confirm", &format!("/payment_intents/{id}/confirm"), "")
        .await;
    assert_eq!(
        confirmed.text("/status"),
        "requires_capture",
        "{confirmed:?}"
    );
    assert_eq!(face.sandbox.ledger("p").await, ["authorise 1000"]);
    let details = face.intent(&id).await;
    let card = "/latest_charge/payment_method_details/card";
    assert_eq!(
        details.text(&format!("{card}/three_d_secure/result")),
        "authenticated"
    );
    face.event("payment_intent.requires_action").await;
    let event = face.events.next().await;
    assert_eq!(
        event.text("type"),
        "payment_intent.amount_capturable_updated"
    );
}

#[tokio::test]
async fn with_automatic_confirmation_a_pass_pays() {
    let face = Face::start().await;
    let method = face.method("4000000000003220").await;
    let form = format!(
        "amount=1000&currency=eur&confirm=true&payment_method={method}\
         &payment_method_types[]=card&return_url=https://shop.example/return"
    );
    let intent = face.post("/payment_intents", &form).await;
    assert_eq!(intent.text("/next_action/type"), "redirect_to_url");
    let action = "/next_action/redirect_to_url";
    assert_eq!(
        intent.text(&format!("{action}/return_url")),
        "https://shop.example/return"
    );
    let url = intent.text(&format!("{action}/url"));
    face.sandbox.end_challenge(url, "pass").await;
    assert_eq!(face.intent(&intent.id()).await.text("/status"), "succeeded");
    assert_eq!(
        face.sandbox.ledger(&intent.id()).await,
        ["authorise 1000", "capture 1000"]
    );
}

#[tokio::test]
async fn a_failed_challenge_leaves_the_intent_without_a_payment_method() {
    let mut face = Face::start().await;
    let (id, url) = face.challenged("p").await;
    face.sandbox.end_challenge(&url, "fail").await;
    let failed = face.event("payment_intent.payment_failed").await;
    let object = &failed.body["data"]["object"];
    assert_eq!(object["status"], "requires_payment_method");
    assert_eq!(
        object["last_payment_error"]["code"],
        "payment_intent_authentication_failure"
    );
    assert_eq!(object["latest_charge"], json!(null));
    assert_eq!(object["id"], id.as_str());
    let other = format!("payment_method={}", face.method(APPROVED_CARD).await);
    let paid = face.act(&id, "confirm", &other).await;
    assert_eq!(paid.text("/status"), "requires_capture", "{paid:?}");
}

#[tokio::test]
async fn an_abandoned_challenge_is_cancelled() {
    let mut face = Face::start().await;
    for passed in [false, true] {
        let key = format!("p{passed}");
        let (id, url) = face.challenged(&key).await;
        if passed {
            face.sandbox.end_challenge(&url, "pass").await;
        }
        let canceled = face.act(&id, "cancel", "").await;
        assert_eq!(canceled.text("/status"), "canceled", "{canceled:?}");
        assert_eq!(canceled.body["latest_charge"], json!(null));
        let (_, page) = face.sandbox.end_challenge(&url, "pass").await;
        assert!(page.contains("has ended"), "{page}");
        let confirm = face.act(&id, "confirm", "").await;
        assert_eq!(confirm.error().2, "payment_intent_unexpected_state");
        assert_eq!(face.sandbox.ledger(&key).await, Vec::<String>::new());
        face.event("payment_intent.requires_action").await;
        let event = face.events.next().await;
        assert_eq!(event.text("type"), "payment_intent.canceled");
    }
    face.events
        .expect_nothing(std::time::Duration::from_millis(200))
        .await;
}

#[tokio::test]
async fn a_challenge_survives_a_restart() {
    let mut face = Face::start().await;
    let (id, _) = face.challenged("p").await;
    let form = face.payment("q", CHALLENGE_CARD).await;
    let before = face.post_as("q", "/payment_intents", &form).await;
    face.sandbox.restart().await;
    let found = face.intent(&id).await;
    let url = found.text("/next_action/use_stripe_sdk/stripe_js");
    face.sandbox.end_challenge(url, "pass").await;
    face.sandbox.restart().await;
    let confirmed = face.act(&id, "confirm", "").await;
    assert_eq!(
        confirmed.text("/status"),
        "requires_capture",
        "{confirmed:?}"
    );
    let after = face.post_as("q", "/payment_intents", &form).await;
    assert_eq!(after.header("Idempotent-Replayed"), Some("true"));
    assert_eq!(after.body, before.body);
}
