//! Payment intents: create, confirm, capture, cancel, declines.

use reqwest::StatusCode;
use serde_json::json;

use super::client::Face;
use crate::sandbox::APPROVED_CARD;

const UNEXPECTED: (u16, &str, &str) = (
    400,
    "invalid_request_error",
    "payment_intent_unexpected_state",
);

/// Parameters of a new intent, with the code of the error and the parameter that it names.
const INVALID: [(&str, &str, &str); 16] = [
    ("currency=eur", "parameter_missing", "amount"),
    ("amount=1000", "parameter_missing", "currency"),
    (
        "amount=x&currency=eur",
        "parameter_invalid_integer",
        "amount",
    ),
    (
        "amount=0&currency=eur",
        "parameter_invalid_integer",
        "amount",
    ),
    ("amount=49&currency=eur", "amount_too_small", "amount"),
    (
        "amount=100000000&currency=eur",
        "amount_too_large",
        "amount",
    ),
    (
        "amount=1001&currency=kwd",
        "parameter_invalid_integer",
        "amount",
    ),
    ("amount=1000&currency=e", "", "currency"),
    (
        "amount=1000&currency=eur&capture_method=x",
        "",
        "capture_method",
    ),
    (
        "amount=1000&currency=eur&other=1",
        "parameter_unknown",
        "other",
    ),
    ("amount=1000&currency=eur&expand[]=x", "", "expand"),
    (
        "amount=1000&currency=eur&return_url=https://a.example",
        "",
        "return_url",
    ),
    (
        "amount=1000&currency=eur&confirmation_token=c",
        "",
        "confirmation_token",
    ),
    (
        "amount=1000&currency=eur&confirm=true&payment_method=pm_x",
        "",
        "return_url",
    ),
    (
        "amount=1000&currency=eur&payment_method=pm_x",
        "resource_missing",
        "payment_method",
    ),
    (
        "amount=1000&currency=eur&payment_method_types[0]=ideal",
        "",
        "payment_method_types",
    ),
];

#[tokio::test]
async fn an_intent_is_authorized_and_captured() {
    let face = Face::start().await;
    let form = face.payment("p", APPROVED_CARD).await;
    let form = format!("{form}&description=Two+chairs&metadata[a]=1");
    let paid = face.post_as("p", "/payment_intents", &form).await;
    assert_eq!(paid.status, StatusCode::OK, "{paid:?}");
    assert_eq!(paid.text("/status"), "requires_capture");
    assert_eq!(paid.body["amount_capturable"], 1000);
    assert_eq!(paid.body["livemode"], false);
    assert_eq!(paid.text("/description"), "Two chairs");
    assert_eq!(paid.body["metadata"], json!({"order": "p", "a": "1"}));
    assert!(paid.text("/latest_charge").starts_with("ch_"));
    assert!(paid.text("/client_secret").starts_with(&paid.id()));

    let found = face.intent(&paid.id()).await;
    let card = &found.body["latest_charge"]["payment_method_details"]["card"];
    assert_eq!(
        (&card["brand"], &card["last4"]),
        (&json!("visa"), &json!("4242"))
    );
    assert_eq!(found.body["latest_charge"]["captured"], false);

    let captured = face.act(&paid.id(), "capture", "").await;
    assert_eq!(captured.text("/status"), "succeeded", "{captured:?}");
    assert_eq!(captured.body["amount_received"], 1000);
    assert_eq!(
        face.sandbox.ledger("p").await,
        ["authorise 1000", "capture 1000"]
    );
}

#[tokio::test]
async fn a_part_is_captured_and_the_rest_released() {
    let face = Face::start().await;
    let id = face.authorized("p").await;
    let too_much = face.act(&id, "capture", "amount_to_capture=1001").await;
    assert_eq!(
        too_much.error(),
        (400, "invalid_request_error", "amount_too_large")
    );
    assert_eq!(too_much.text("/error/param"), "amount_to_capture");
    let part = face.act(&id, "capture", "amount_to_capture=600").await;
    assert_eq!(part.text("/status"), "succeeded", "{part:?}");
    assert_eq!(part.body["amount_received"], 600);
    let again = face.act(&id, "capture", "amount_to_capture=1").await;
    assert_eq!(again.error(), UNEXPECTED);
    assert_eq!(again.text("/error/payment_intent/status"), "succeeded");
    assert_eq!(
        face.sandbox.ledger("p").await,
        ["authorise 1000", "capture 600", "void 400"]
    );
}

#[tokio::test]
async fn automatic_capture_captures_at_once() {
    let face = Face::start().await;
    let method = face.method(APPROVED_CARD).await;
    let form = format!(
        "amount=1000&currency=EUR&confirm=true&payment_method={method}\
         &automatic_payment_methods[enabled]=true\
         &automatic_payment_methods[allow_redirects]=never"
    );
    let paid = face.post("/payment_intents", &form).await;
    assert_eq!(paid.text("/status"), "succeeded", "{paid:?}");
    assert_eq!(paid.text("/currency"), "eur");
    // Without the configured metadata, the intent's id is the reference in the ledger.
    assert_eq!(
        face.sandbox.ledger(&paid.id()).await,
        ["authorise 1000", "capture 1000"]
    );
}

#[tokio::test]
async fn an_intent_is_confirmed_later() {
    let face = Face::start().await;
    let intent = face
        .post("/payment_intents", "amount=1000&currency=eur")
        .await;
    assert_eq!(intent.text("/status"), "requires_payment_method");
    let missing = face.act(&intent.id(), "confirm", "").await;
    assert_eq!(missing.error(), UNEXPECTED);
    let form = format!("payment_method={}", face.method(APPROVED_CARD).await);
    let paid = face.act(&intent.id(), "confirm", &form).await;
    assert_eq!(paid.text("/status"), "succeeded", "{paid:?}");
    let again = face.act(&intent.id(), "confirm", "").await;
    assert_eq!(again.error(), UNEXPECTED);

    let form = format!(
        "amount=1000&currency=eur&payment_method={}",
        face.method(APPROVED_CARD).await
    );
    let intent = face.post("/payment_intents", &form).await;
    assert_eq!(intent.text("/status"), "requires_confirmation");
    let paid = face.act(&intent.id(), "confirm", "").await;
    assert_eq!(paid.text("/status"), "succeeded", "{paid:?}");
}

#[tokio::test]
async fn declines_have_stripes_codes() {
    let face = Face::start().await;
    for (number, code, decline_code) in [
        ("4000000000000002", "card_declined", "generic_decline"),
        ("4000000000000341", "card_declined", "generic_decline"),
        ("4000000000009995", "card_declined", "insufficient_funds"),
        ("4000000000000069", "expired_card", "expired_card"),
    ] {
        let declined = face.pay(number, number).await;
        assert_eq!(declined.error(), (402, "card_error", code), "{number}");
        assert_eq!(declined.text("/error/decline_code"), decline_code);
        let intent = &declined.body["error"]["payment_intent"];
        assert_eq!(intent["status"], "requires_payment_method");
        assert_eq!(intent["last_payment_error"]["decline_code"], decline_code);
        assert_eq!(intent["payment_method"], json!(null));
        let found = face.intent(intent["id"].as_str().unwrap()).await;
        assert_eq!(found.text("/latest_charge/status"), "failed");
        assert_eq!(found.text("/latest_charge/failure_code"), code);
        assert_eq!(face.sandbox.ledger(number).await, Vec::<String>::new());
    }
}

#[tokio::test]
async fn another_payment_method_may_follow_a_decline() {
    let face = Face::start().await;
    let declined = face.pay("p", "4000000000000002").await;
    let id = declined.text("/error/payment_intent/id").to_owned();
    let same = declined.text("/error/payment_method/id");
    let form = format!("payment_method={same}");
    let used = face.act(&id, "confirm", &form).await;
    assert_eq!(used.error(), (400, "invalid_request_error", ""));
    let form = format!("payment_method={}", face.method(APPROVED_CARD).await);
    let paid = face.act(&id, "confirm", &form).await;
    assert_eq!(paid.text("/status"), "requires_capture", "{paid:?}");
    assert_eq!(paid.body["last_payment_error"], json!(null));
    assert_eq!(face.sandbox.ledger("p").await, ["authorise 1000"]);
}

#[tokio::test]
async fn a_cancel_releases_the_authorization() {
    let face = Face::start().await;
    let id = face.authorized("p").await;
    let form = "cancellation_reason=abandoned";
    let canceled = face.act(&id, "cancel", form).await;
    assert_eq!(canceled.text("/status"), "canceled", "{canceled:?}");
    assert_eq!(canceled.text("/cancellation_reason"), "abandoned");
    assert!(canceled.body["canceled_at"].is_i64(), "{canceled:?}");
    assert_eq!(face.act(&id, "cancel", "").await.error(), UNEXPECTED);
    assert_eq!(face.act(&id, "capture", "").await.error(), UNEXPECTED);
    assert_eq!(
        face.sandbox.ledger("p").await,
        ["authorise 1000", "void 1000"]
    );
    let captured = face.captured("q").await;
    assert_eq!(face.act(&captured, "cancel", "").await.error(), UNEXPECTED);
}

#[tokio::test]
async fn an_intent_without_an_open_payment_is_cancelled() {
    let face = Face::start().await;
    let new = face
        .post("/payment_intents", "amount=1000&currency=eur")
        .await
        .id();
    let declined = face.pay("p", "4000000000000002").await;
    let declined = declined.text("/error/payment_intent/id").to_owned();
    for id in [new, declined] {
        let canceled = face.act(&id, "cancel", "").await;
        assert_eq!(canceled.text("/status"), "canceled", "{canceled:?}");
        assert_eq!(face.act(&id, "cancel", "").await.error(), UNEXPECTED);
        let form = format!("payment_method={}", face.method(APPROVED_CARD).await);
        assert_eq!(face.act(&id, "confirm", &form).await.error(), UNEXPECTED);
        assert_eq!(face.act(&id, "capture", "").await.error(), UNEXPECTED);
    }
}

#[tokio::test]
async fn invalid_parameters_are_named() {
    let face = Face::start().await;
    for (form, code, param) in INVALID {
        let response = face.post("/payment_intents", form).await;
        assert_eq!(
            response.error(),
            (400, "invalid_request_error", code),
            "{form}"
        );
        assert_eq!(response.text("/error/param"), param, "{form}");
    }
    let unknown = face.act("pi_unknown", "capture", "").await;
    assert_eq!(
        unknown.error(),
        (404, "invalid_request_error", "resource_missing")
    );
}
