//! The scripted sender records webhooks, returns scripted outcomes and blocks on request.

use std::time::Duration;

use oncharge_domain::webhook::SendError;
use oncharge_ports::{
    WebhookSender,
    webhook_sender::{SendOutcome, Webhook},
};
use oncharge_testkit::{
    Outcome, ScriptedSender,
    build::{ENDPOINT, endpoint_url},
};
use tokio::task::JoinSet;

const ELSEWHERE: &str = "https://elsewhere.example.com/hook";

async fn send(sender: &ScriptedSender, url: &str, body: &str) -> SendOutcome {
    let webhook = Webhook {
        url: endpoint_url(url),
        headers: vec![("webhook-id", body.to_owned())],
        body: body.as_bytes().to_vec(),
    };
    sender.send(&webhook).await
}

#[tokio::test]
async fn responses_follow_the_script_of_their_url() {
    let sender = ScriptedSender::new();
    sender.always(ENDPOINT, Outcome::Error(SendError::Timeout));
    sender.reply(ENDPOINT, Outcome::Status(500));
    sender.reply(ENDPOINT, Outcome::RetryAfter(429, Duration::from_secs(7)));
    let first = send(&sender, ENDPOINT, "1").await;
    assert_eq!((first.status, first.retry_after), (Ok(500), None));
    assert_eq!(first.response, "status 500");
    let second = send(&sender, ENDPOINT, "2").await;
    let asked = Some(Duration::from_secs(7));
    assert_eq!((second.status, second.retry_after), (Ok(429), asked));
    for body in ["3", "4"] {
        let sent = send(&sender, ENDPOINT, body).await;
        assert_eq!(sent.status, Err(SendError::Timeout));
    }
    assert_eq!(send(&sender, ELSEWHERE, "5").await.status, Ok(200));
    assert_eq!(sender.bodies(ENDPOINT), ["1", "2", "3", "4"]);
    let all = sender.sent();
    assert_eq!(all.len(), 5);
    assert_eq!(all[4].headers, [("webhook-id", "5".to_owned())]);
    assert_eq!(sender.max_in_flight(), 1);
}

#[tokio::test]
async fn a_blocked_url_hangs_until_unblocked() {
    let sender = ScriptedSender::new();
    sender.block(ENDPOINT);
    let mut hanging = JoinSet::new();
    for body in ["1", "2"] {
        let sender = sender.clone();
        hanging.spawn(async move { send(&sender, ENDPOINT, body).await });
    }
    sender.wait_for_attempts(2).await;
    assert_eq!(send(&sender, ELSEWHERE, "3").await.status, Ok(200));
    assert_eq!(sender.in_flight(ENDPOINT), 2);
    let given_up = tokio::time::timeout(Duration::ZERO, send(&sender, ENDPOINT, "4")).await;
    assert!(given_up.is_err());
    assert_eq!(
        sender.in_flight(ENDPOINT),
        2,
        "a dropped attempt still counts as in progress"
    );
    sender.unblock(ENDPOINT);
    for sent in hanging.join_all().await {
        assert_eq!(sent.status, Ok(200));
    }
    assert_eq!(sender.in_flight(ENDPOINT), 0);
    assert_eq!(sender.max_in_flight_to(ENDPOINT), 3);
    assert_eq!(sender.max_in_flight_to(ELSEWHERE), 1);
    assert_eq!(sender.max_in_flight(), 3);
}
