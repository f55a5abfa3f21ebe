//! Connection faults: no response after execution, and refused connections.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::sandbox::{APPROVED_CARD, BEARER, Sandbox, payment, send};

/// Sends a request on its own connection and reads until the connection is closed.
async fn raw_post(sandbox: &Sandbox, path: &str, key: &str, body: &Value) -> Vec<u8> {
    let address = sandbox.address();
    let body = body.to_string();
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {BEARER}\r\n\
         Idempotency-Key: {key}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    raw_request(address, request).await
}

/// Sends these bytes on their own connection and reads until the connection is closed.
pub(crate) async fn raw_request(address: String, request: String) -> Vec<u8> {
    tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut response = Vec::new();
        stream.read_to_end(&mut response).unwrap();
        response
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn drop_after_work_executes_without_a_response() {
    let sandbox = Sandbox::start().await;
    let body = payment(
        &sandbox.token(APPROVED_CARD).await,
        json!({"reference": "p"}),
    );
    sandbox
        .set_faults(json!({"drop_after_work_rate": 1.0}))
        .await;
    let response = raw_post(&sandbox, "/v1/payments", "p", &body).await;
    assert_eq!(response, b"", "{}", String::from_utf8_lossy(&response));
    assert_eq!(sandbox.ledger("p").await, ["authorise 1000"]);
    sandbox.clear_faults().await;
    // A repeated call returns the lost response, and executes nothing.
    assert_eq!(
        sandbox.post("/v1/payments", "p", &body).await.result(),
        ("authorised", None)
    );
    assert_eq!(sandbox.ledger("p").await, ["authorise 1000"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_connections_are_accepted_again_after_the_period() {
    let sandbox = Sandbox::start().await;
    // An idle, kept-alive connection of another client.
    let mut idle = TcpStream::connect(sandbox.address()).unwrap();
    idle.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    idle.write_all(b"GET /v1/ledger HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .unwrap();
    let mut started = [0_u8; 12];
    idle.read_exact(&mut started).unwrap();
    assert_eq!(&started, b"HTTP/1.1 200");

    let before = Instant::now();
    let put = sandbox
        .set_faults(json!({"refuse_connections_ms": 700}))
        .await;
    assert_eq!(put.status, StatusCode::OK);
    let refused = TcpStream::connect(sandbox.address()).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    assert!(
        before.elapsed() < Duration::from_millis(700),
        "the response came after the period"
    );
    // The idle connection was closed as well: the rest of its response, then the end.
    let mut rest = Vec::new();
    idle.read_to_end(&mut rest).unwrap();
    let call = sandbox
        .request(reqwest::Method::GET, "/v1/operations/x")
        .send()
        .await;
    assert!(
        call.unwrap_err().is_connect(),
        "a call did not fail to connect"
    );

    while TcpStream::connect(sandbox.address()).is_err() {
        assert!(
            before.elapsed() < Duration::from_secs(10),
            "connections are still refused"
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(
        before.elapsed() >= Duration::from_millis(700),
        "{:?}",
        before.elapsed()
    );
    assert_eq!(sandbox.operation("x").await.status, StatusCode::NOT_FOUND);
    sandbox.authorized("p").await;
}

#[tokio::test]
async fn connections_can_be_refused_repeatedly() {
    let sandbox = Sandbox::start().await;
    for round in 0..3 {
        let put = sandbox
            .set_faults(json!({"refuse_connections_ms": 30}))
            .await;
        assert_eq!(put.status, StatusCode::OK, "{round}");
        let started = Instant::now();
        while TcpStream::connect(sandbox.address()).is_err() {
            assert!(
                started.elapsed() < Duration::from_secs(10),
                "connections are still refused"
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        sandbox.authorized(&format!("p{round}")).await;
    }
}

#[tokio::test]
async fn a_restart_ends_refused_connections() {
    let mut sandbox = Sandbox::start().await;
    sandbox
        .set_faults(json!({"refuse_connections_ms": 60_000}))
        .await;
    sandbox.restart().await;
    // After a restart connections are accepted, because the period is not stored; the setting is
    // still shown.
    let shown = send(sandbox.client.get(sandbox.url("/v1/faults"))).await;
    assert_eq!(shown.body, json!({"refuse_connections_ms": 60_000}));
}
