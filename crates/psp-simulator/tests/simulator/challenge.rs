//! The 3-D Secure page.

use reqwest::StatusCode;
use serde_json::json;

use crate::receiver::Receiver;
use crate::sandbox::{CHALLENGE_CARD, Sandbox};

#[tokio::test]
async fn a_passed_challenge_authorizes() {
    let sandbox = Sandbox::start().await;
    let payment = sandbox
        .pay("p", CHALLENGE_CARD, json!({"reference": "p"}))
        .await;
    let url = payment.text("challenge_url");
    assert!(url.starts_with(&sandbox.url("/challenge/")), "{url}");
    let open = sandbox.operation("p").await;
    assert_eq!(
        (open.result(), open.text("challenge_url")),
        (("challenge", None), url.clone())
    );
    let page = sandbox
        .client
        .get(&url)
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(
        page.contains("Complete authentication") && page.contains("3155"),
        "{page}"
    );
    let (status, ended) = sandbox.end_challenge(&url, "pass").await;
    assert_eq!(status, StatusCode::OK);
    assert!(ended.contains("/assets/challenge.js"), "{ended}");
    let lookup = sandbox.operation("p").await;
    assert_eq!(lookup.result(), ("authorised", None));
    assert!(lookup.body.get("challenge_url").is_none(), "{lookup:?}");
    assert_eq!(sandbox.ledger("p").await, ["authorise 1000"]);
}

#[tokio::test]
async fn a_passed_challenge_captures_if_requested() {
    let sandbox = Sandbox::start().await;
    let payment = sandbox
        .pay(
            "p",
            CHALLENGE_CARD,
            json!({"reference": "p", "capture": true}),
        )
        .await;
    sandbox
        .end_challenge(&payment.text("challenge_url"), "pass")
        .await;
    assert_eq!(sandbox.operation("p").await.result(), ("captured", None));
    assert_eq!(
        sandbox.ledger("p").await,
        ["authorise 1000", "capture 1000"]
    );
}

#[tokio::test]
async fn a_failed_challenge_is_final() {
    let sandbox = Sandbox::start().await;
    let payment = sandbox
        .pay("p", CHALLENGE_CARD, json!({"reference": "p"}))
        .await;
    let url = payment.text("challenge_url");
    let expected = ("refused", Some("authentication_failed"));
    sandbox.end_challenge(&url, "fail").await;
    assert_eq!(sandbox.operation("p").await.result(), expected);
    let (status, page) = sandbox.end_challenge(&url, "pass").await;
    assert_eq!(status, StatusCode::OK);
    assert!(page.contains("has ended"), "{page}");
    assert_eq!(sandbox.operation("p").await.result(), expected);
    let cancel = sandbox.cancel("x", &payment.text("psp_reference")).await;
    assert_eq!(cancel.result(), ("refused", Some("nothing_held")));
    assert_eq!(sandbox.ledger("p").await, Vec::<String>::new());
}

#[tokio::test]
async fn a_cancelled_challenge_moves_no_money() {
    let sandbox = Sandbox::start().await;
    let mut receiver = Receiver::start(0);
    let more = json!({"reference": "p", "notification_url": receiver.url});
    let payment = sandbox.pay("p", CHALLENGE_CARD, more).await;
    let capture = sandbox
        .capture("c", &payment.text("psp_reference"), 1000)
        .await;
    assert_eq!(capture.result(), ("refused", Some("wrong_state")));
    let cancel = sandbox.cancel("x", &payment.text("psp_reference")).await;
    assert_eq!(cancel.result(), ("done", None));
    assert_eq!(
        sandbox.operation("p").await.result(),
        ("refused", Some("cancelled"))
    );
    let (_, page) = sandbox
        .end_challenge(&payment.text("challenge_url"), "pass")
        .await;
    assert!(page.contains("has ended"), "{page}");
    assert_eq!(
        sandbox.operation("p").await.result(),
        ("refused", Some("cancelled"))
    );
    assert_eq!(sandbox.ledger("p").await, Vec::<String>::new());
    let mut summaries = Vec::new();
    for _ in 0..3 {
        summaries.push(receiver.next().await.summary());
    }
    let expected = [
        "capture false wrong_state",
        "authorisation false cancelled",
        "cancel true null",
    ];
    assert_eq!(summaries, expected);
}

#[tokio::test]
async fn invalid_challenge_outcomes_are_refused() {
    let sandbox = Sandbox::start().await;
    let payment = sandbox.pay("p", CHALLENGE_CARD, json!({})).await;
    let url = payment.text("challenge_url");
    assert_eq!(
        sandbox.end_challenge(&url, "maybe").await.0,
        StatusCode::UNPROCESSABLE_ENTITY
    );
    assert_eq!(sandbox.operation("p").await.result(), ("challenge", None));
    let unknown = sandbox.url("/challenge/ch_unknown");
    assert_eq!(
        sandbox.end_challenge(&unknown, "pass").await.0,
        StatusCode::NOT_FOUND
    );
    let get = sandbox.client.get(unknown).send().await.unwrap();
    assert_eq!(get.status(), StatusCode::NOT_FOUND);
}
