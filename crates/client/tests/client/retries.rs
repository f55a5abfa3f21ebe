//! Retries: which requests are repeated, under which key, and when the client stops.

use std::time::{Duration, Instant};

use oncharge_client::{Client, Error, NewRefund, RetryPolicy};
use serde_json::json;

use crate::server::{Behavior, KEY, SECRET, Server};

fn refund() -> NewRefund {
    NewRefund {
        session_id: "cs_1".to_owned(),
        amount: 500,
        currency: "USD".to_owned(),
        reference: "r-1".to_owned(),
    }
}

fn accepted_refund() -> Behavior {
    let body = json!({
        "refund_id": "ref_1", "session_id": "cs_1", "status": "refund_requested",
        "psp_reference": null, "amount": 500, "currency": "USD",
    });
    Behavior::response(201, body.to_string())
}

fn problem(status: u16, headers: &'static str, code: &str) -> Behavior {
    let body = json!({"error": code, "message": "not now"});
    Behavior::Respond(status, headers, body.to_string())
}

/// Sends one request with these behaviors of the server; returns the number of attempts, which must
/// be equal.
#[expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]
async fn count_attempts(behaviors: Vec<Behavior>) -> usize {
    let server = Server::start(behaviors.into_iter().chain([accepted_refund()])).await;
    server.client().refund(&refund(), None).await.unwrap();
    let requests = server.requests();
    assert!(
        requests[0].idempotency_key.is_some() && requests[0].authentic,
        "{requests:?}"
    );
    assert!(
        requests.iter().all(|request| *request == requests[0]),
        "{requests:?}"
    );
    requests.len()
}

#[tokio::test]
async fn retryable_errors_are_retried_under_the_same_key() {
    let cases = [
        ("a lost connection", Behavior::HangUp),
        ("503", problem(503, "", "psp_unavailable")),
        ("500", problem(500, "", "internal_error")),
        (
            "a proxy's 502",
            Behavior::response(502, "<html>bad gateway</html>"),
        ),
        ("408", problem(408, "", "request_timeout")),
        ("429", problem(429, "Retry-After: 0\r\n", "rate_limited")),
        (
            "the first is still in progress",
            problem(409, "", "idempotency_conflict"),
        ),
    ];
    for (name, behavior) in cases {
        assert_eq!(count_attempts(vec![behavior]).await, 2, "{name}");
    }
    let long = vec![
        Behavior::HangUp,
        problem(503, "", "busy"),
        problem(500, "", "internal_error"),
    ];
    assert_eq!(count_attempts(long).await, 4, "the attempts are sequential");
}

#[tokio::test]
async fn final_errors_are_not_retried() {
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
        assert_eq!(server.requests().len(), 1, "{code}");
    }
}

#[tokio::test]
async fn attempts_are_bounded_and_the_last_error_is_returned() {
    let server = Server::start((0..9).map(|_| problem(503, "", "psp_unavailable"))).await;
    let error = server.client().refund(&refund(), None).await.unwrap_err();
    assert_eq!(error.code(), Some("psp_unavailable"));
    assert_eq!(server.requests().len(), 4);

    let server = Server::start([]).await;
    let error = server.client().refund(&refund(), None).await.unwrap_err();
    assert!(matches!(error, Error::Transport(_)), "{error:?}");
    assert_eq!(server.requests().len(), 4);
}

#[tokio::test]
async fn a_closed_port_is_a_transport_error() {
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let client = Client::new(&format!("http://127.0.0.1:{port}"), KEY, SECRET).unwrap();
    let retries = RetryPolicy {
        attempts: 2,
        initial_delay: Duration::from_millis(1),
        ..RetryPolicy::default()
    };
    let error = client
        .with_retries(retries)
        .session("cs_1")
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Transport(_)), "{error:?}");
}

#[tokio::test]
async fn retry_after_is_honored() {
    let started = Instant::now();
    let behavior = problem(429, "Retry-After: 1\r\n", "rate_limited");
    assert_eq!(count_attempts(vec![behavior]).await, 2);
    assert!(
        started.elapsed() >= Duration::from_secs(1),
        "{:?}",
        started.elapsed()
    );
}

#[tokio::test]
async fn a_retry_after_above_the_maximum_is_not_retried() {
    let server = Server::start([problem(503, "Retry-After: 3600\r\n", "busy")]).await;
    let error = server.client().refund(&refund(), None).await.unwrap_err();
    assert_eq!(error.code(), Some("busy"));
    assert_eq!(server.requests().len(), 1);
}
