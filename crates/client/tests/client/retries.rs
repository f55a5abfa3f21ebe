//! What is sent again, under which key, and when the client gives up.

use std::time::{Duration, Instant};

use oncharge_client::{Client, Error, NewRefund, Retries};
use serde_json::json;

use crate::server::{Act, KEY, SECRET, Server};

fn refund() -> NewRefund {
    NewRefund {
        session_id: "cs_1".to_owned(),
        amount: 500,
        currency: "USD".to_owned(),
        reference: "r-1".to_owned(),
    }
}

fn acknowledged() -> Act {
    let body = json!({
        "refund_id": "ref_1", "session_id": "cs_1", "status": "refund_requested",
        "psp_reference": null, "amount": 500, "currency": "USD",
    });
    Act::answer(201, body.to_string())
}

fn problem(status: u16, headers: &'static str, code: &str) -> Act {
    let body = json!({"error": code, "message": "not now"});
    Act::Answer(status, headers, body.to_string())
}

/// Ordered once by the caller, after these acts: how often it was sent, all of them equal.
#[expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]
async fn times_sent(acts: Vec<Act>) -> usize {
    let server = Server::start(acts.into_iter().chain([acknowledged()])).await;
    server.client().refund(&refund(), None).await.unwrap();
    let seen = server.seen();
    assert!(
        seen[0].idempotency_key.is_some() && seen[0].authentic,
        "{seen:?}"
    );
    assert!(seen.iter().all(|request| *request == seen[0]), "{seen:?}");
    seen.len()
}

#[tokio::test]
async fn what_may_end_better_is_sent_again_under_the_same_key() {
    let cases = [
        ("a lost connection", Act::HangUp),
        ("503", problem(503, "", "psp_unavailable")),
        ("500", problem(500, "", "internal_error")),
        (
            "a proxy's 502",
            Act::answer(502, "<html>bad gateway</html>"),
        ),
        ("408", problem(408, "", "request_timeout")),
        ("429", problem(429, "Retry-After: 0\r\n", "rate_limited")),
        (
            "the first is still at work",
            problem(409, "", "idempotency_conflict"),
        ),
    ];
    for (name, act) in cases {
        assert_eq!(times_sent(vec![act]).await, 2, "{name}");
    }
    let long = vec![
        Act::HangUp,
        problem(503, "", "busy"),
        problem(500, "", "internal_error"),
    ];
    assert_eq!(times_sent(long).await, 4, "one after the other");
}

#[tokio::test]
async fn what_is_decided_is_not_sent_again() {
    for (status, code) in [
        (400, "invalid_request"),
        (401, "invalid_signature"),
        (404, "not_found"),
        (409, "invalid_state"),
        (409, "psp_rejected"),
        (422, "refund_exceeds_captured"),
        (422, "idempotency_key_reused"),
    ] {
        let server = Server::start([problem(status, "", code)]).await;
        let error = server.client().refund(&refund(), None).await.unwrap_err();
        assert_eq!(error.code(), Some(code));
        assert_eq!(server.seen().len(), 1, "{code}");
    }
}

#[tokio::test]
async fn the_attempts_are_bounded_and_the_last_answer_is_told() {
    let server = Server::start((0..9).map(|_| problem(503, "", "psp_unavailable"))).await;
    let error = server.client().refund(&refund(), None).await.unwrap_err();
    assert_eq!(error.code(), Some("psp_unavailable"));
    assert_eq!(server.seen().len(), 4);

    let server = Server::start([]).await;
    let error = server.client().refund(&refund(), None).await.unwrap_err();
    assert!(matches!(error, Error::Transport(_)), "{error:?}");
    assert_eq!(server.seen().len(), 4);
}

#[tokio::test]
async fn where_nobody_listens_there_is_no_answer() {
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let client = Client::new(&format!("http://127.0.0.1:{port}"), KEY, SECRET).unwrap();
    let retries = Retries {
        attempts: 2,
        first_wait: Duration::from_millis(1),
        ..Retries::default()
    };
    let error = client
        .with_retries(retries)
        .session("cs_1")
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Transport(_)), "{error:?}");
}

#[tokio::test]
async fn retry_after_is_honoured() {
    let begun = Instant::now();
    let act = problem(429, "Retry-After: 1\r\n", "rate_limited");
    assert_eq!(times_sent(vec![act]).await, 2);
    assert!(
        begun.elapsed() >= Duration::from_secs(1),
        "{:?}",
        begun.elapsed()
    );
}

#[tokio::test]
async fn a_retry_after_beyond_our_patience_is_the_answer() {
    let server = Server::start([problem(503, "Retry-After: 3600\r\n", "busy")]).await;
    let error = server.client().refund(&refund(), None).await.unwrap_err();
    assert_eq!(error.code(), Some("busy"));
    assert_eq!(server.seen().len(), 1);
}
