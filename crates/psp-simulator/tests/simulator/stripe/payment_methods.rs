//! Payment methods and confirmation tokens.

use reqwest::StatusCode;
use serde_json::json;

use super::client::{Face, PUBLISHABLE_KEY, send};
use crate::sandbox::{APPROVED_CARD, CHALLENGE_CARD};

#[tokio::test]
async fn a_browser_exchanges_a_card_for_a_payment_method() {
    let face = Face::start().await;
    let form = "type=card&card[number]=5555555555554444&card[exp_month]=1&card[exp_year]=40\
                &card[cvc]=123&billing_details[address][city]=Berlin";
    let request = face.post_request_of(PUBLISHABLE_KEY, "/payment_methods", form);
    let made = send(request).await;
    assert_eq!(made.status, StatusCode::OK, "{made:?}");
    assert!(made.id().starts_with("pm_"));
    assert_eq!(made.text("/object"), "payment_method");
    assert_eq!(made.text("/card/brand"), "mastercard");
    assert_eq!(made.text("/card/last4"), "4444");
    assert_eq!(made.body["card"]["exp_year"], 2040);
    let found = face.get(&format!("/payment_methods/{}", made.id())).await;
    assert_eq!(found.body, made.body);
    let missing = face.get("/payment_methods/pm_unknown").await;
    assert_eq!(
        missing.error(),
        (404, "invalid_request_error", "resource_missing")
    );
}

#[tokio::test]
async fn invalid_cards_are_named() {
    let face = Face::start().await;
    let card = |number: &str, month: &str, year: &str, cvc: &str| {
        format!(
            "type=card&card[number]={number}&card[exp_month]={month}&card[exp_year]={year}\
             &card[cvc]={cvc}"
        )
    };
    for (form, code) in [
        (
            card("4242424242424241", "1", "40", "123"),
            "incorrect_number",
        ),
        (
            card(APPROVED_CARD, "13", "40", "123"),
            "invalid_expiry_month",
        ),
        (
            card(APPROVED_CARD, "1", "2020", "123"),
            "invalid_expiry_year",
        ),
        (
            card(APPROVED_CARD, "1", "2200", "123"),
            "invalid_expiry_year",
        ),
        (card(APPROVED_CARD, "1", "40", "12"), "invalid_cvc"),
    ] {
        let response = face.post("/payment_methods", &form).await;
        assert_eq!(response.error(), (402, "card_error", code));
        let text = response.body.to_string();
        assert!(!text.contains("424242"), "{text}");
    }
    let response = face.post("/payment_methods", "type=sepa_debit").await;
    assert_eq!(response.text("/error/param"), "type");
}

#[tokio::test]
async fn a_confirmation_token_pays_once() {
    let face = Face::start().await;
    let form = format!(
        "payment_method_data[type]=card&payment_method_data[card][number]={APPROVED_CARD}\
         &payment_method_data[card][exp_month]=12&payment_method_data[card][exp_year]=2040\
         &payment_method_data[card][cvc]=123&return_url=https://shop.example/"
    );
    let request = face.post_request_of(PUBLISHABLE_KEY, "/confirmation_tokens", &form);
    let token = send(request).await;
    assert!(token.id().starts_with("ctoken_"), "{token:?}");
    assert_eq!(token.text("/payment_method_preview/card/last4"), "4242");

    let pay = format!(
        "amount=1000&currency=eur&confirm=true&capture_method=manual&confirmation_token={}\
         &return_url=https://shop.example/",
        token.id()
    );
    let paid = face.post("/payment_intents", &pay).await;
    assert_eq!(paid.text("/status"), "requires_capture", "{paid:?}");
    assert!(paid.text("/payment_method").starts_with("pm_"));
    let used = face
        .get(&format!("/confirmation_tokens/{}", token.id()))
        .await;
    assert_eq!(used.text("/payment_intent"), paid.id());
    let again = face.post("/payment_intents", &pay).await;
    assert_eq!(again.error(), (400, "invalid_request_error", ""));
    assert_eq!(again.text("/error/param"), "confirmation_token");
}

#[tokio::test]
async fn a_confirmation_token_of_a_payment_method_confirms_an_intent() {
    let face = Face::start().await;
    let method = face.method(CHALLENGE_CARD).await;
    let form = format!("payment_method={method}");
    let token = face.post("/test_helpers/confirmation_tokens", &form).await;
    let intent = face
        .post("/payment_intents", "amount=1000&currency=eur")
        .await
        .id();
    let form = format!("confirmation_token={}", token.id());
    let response = face.act(&intent, "confirm", &form).await;
    assert_eq!(response.text("/status"), "requires_action", "{response:?}");
    assert_eq!(response.text("/payment_method"), method);
    let both = format!("confirmation_token={}&payment_method={method}", token.id());
    let response = face.act(&intent, "confirm", &both).await;
    assert_eq!(response.error().0, 400);
}

#[tokio::test]
async fn tokens_of_the_own_api_are_no_payment_methods() {
    let face = Face::start().await;
    let token = face.sandbox.token(APPROVED_CARD).await;
    let form = format!("amount=1000&currency=eur&payment_method={token}");
    let response = face.post("/payment_intents", &form).await;
    assert_eq!(
        response.error(),
        (400, "invalid_request_error", "resource_missing")
    );
    let method = face.method(APPROVED_CARD).await;
    let body = crate::sandbox::payment(&method, json!({}));
    let own = face.sandbox.post("/v1/payments", "own", &body).await;
    assert_eq!(own.status, StatusCode::UNPROCESSABLE_ENTITY);
}
