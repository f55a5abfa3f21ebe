//! Refunds.

use reqwest::StatusCode;
use serde_json::json;

use super::client::Face;

#[tokio::test]
async fn two_equal_refunds_are_told_apart_by_their_metadata() {
    let face = Face::start().await;
    let id = face.captured("p").await;
    let mut made = Vec::new();
    for operation in ["one", "two"] {
        let form = format!("payment_intent={id}&amount=300&metadata[operation]={operation}");
        let refund = face.post("/refunds", &form).await;
        assert_eq!(refund.status, StatusCode::OK, "{refund:?}");
        assert!(refund.id().starts_with("re_"));
        assert_eq!(refund.text("/status"), "succeeded");
        assert_eq!(refund.text("/payment_intent"), id);
        assert_eq!(refund.text("/currency"), "eur");
        assert_eq!(refund.body["metadata"], json!({ "operation": operation }));
        let found = face.get(&format!("/refunds/{}", refund.id())).await;
        assert_eq!(found.body, refund.body);
        made.push(refund.body);
    }
    let list = face.get(&format!("/refunds?payment_intent={id}")).await;
    assert_eq!(list.body["data"], json!([made[1], made[0]]));
    let charge = face.intent(&id).await;
    assert_eq!(charge.body["latest_charge"]["amount_refunded"], 600);
    assert_eq!(charge.body["latest_charge"]["refunded"], false);
    assert_eq!(
        face.sandbox.ledger("p").await,
        ["authorise 1000", "capture 1000", "refund 300", "refund 300"]
    );
}

#[tokio::test]
async fn without_an_amount_the_rest_is_refunded() {
    let face = Face::start().await;
    let id = face.captured("p").await;
    let charge = face.intent(&id).await.text("/latest_charge/id").to_owned();
    let form = format!("charge={charge}&amount=400&reason=requested_by_customer");
    let first = face.post("/refunds", &form).await;
    assert_eq!(first.text("/reason"), "requested_by_customer", "{first:?}");
    let rest = face.post("/refunds", &format!("payment_intent={id}")).await;
    assert_eq!(rest.body["amount"], 600, "{rest:?}");
    let whole = face.intent(&id).await;
    assert_eq!(whole.body["latest_charge"]["refunded"], true);
    for form in [
        format!("payment_intent={id}"),
        format!("payment_intent={id}&amount=1"),
    ] {
        let response = face.post("/refunds", &form).await;
        assert_eq!(
            response.error(),
            (400, "invalid_request_error", "charge_already_refunded")
        );
    }
}

#[tokio::test]
async fn more_than_was_captured_is_refused() {
    let face = Face::start().await;
    let id = face.authorized("p").await;
    face.act(&id, "capture", "amount_to_capture=600").await;
    let form = format!("payment_intent={id}&amount=601");
    let response = face.post("/refunds", &form).await;
    assert_eq!(response.error(), (400, "invalid_request_error", ""));
    assert_eq!(response.text("/error/param"), "amount");
    assert_eq!(
        response.text("/error/message"),
        "Refund amount (6.01 eur) is greater than unrefunded amount on charge (6.00 eur)"
    );
    // A refused call created no refund.
    let list = face.get(&format!("/refunds?payment_intent={id}")).await;
    assert_eq!(list.body["data"], json!([]));
}

#[tokio::test]
async fn only_a_captured_payment_is_refunded() {
    let face = Face::start().await;
    let new = face
        .post("/payment_intents", "amount=1000&currency=eur")
        .await
        .id();
    let held = face.authorized("held").await;
    let canceled = face.authorized("canceled").await;
    face.act(&canceled, "cancel", "").await;
    for id in [new, held, canceled] {
        let form = format!("payment_intent={id}&amount=100");
        let response = face.post("/refunds", &form).await;
        let expected = "payment_intent_unexpected_state";
        assert_eq!(response.error(), (400, "invalid_request_error", expected));
    }
}

#[tokio::test]
async fn invalid_parameters_are_named() {
    let face = Face::start().await;
    for (form, status, code, param) in [
        ("amount=1", 400, "parameter_missing", "payment_intent"),
        (
            "payment_intent=pi_x",
            404,
            "resource_missing",
            "payment_intent",
        ),
        ("charge=ch_x", 404, "resource_missing", "charge"),
        ("charge=ch_x&payment_intent=pi_x", 400, "", "charge"),
        ("payment_intent=pi_x&reason=other", 400, "", "reason"),
        (
            "payment_intent=pi_x&amount=0",
            400,
            "parameter_invalid_integer",
            "amount",
        ),
    ] {
        let response = face.post("/refunds", form).await;
        assert_eq!(
            response.error(),
            (status, "invalid_request_error", code),
            "{form}"
        );
        assert_eq!(response.text("/error/param"), param, "{form}");
    }
    let unknown = face.get("/refunds/re_x").await;
    assert_eq!(
        unknown.error(),
        (404, "invalid_request_error", "resource_missing")
    );
}
