//! Requests on the wire, and the outcomes of all kinds of responses.

use std::time::{Duration, Instant};

use oncharge_domain::webhook::SendError;

use super::{
    config, sandbox, send, sender_with_timeout,
    server::{Behavior, Server, closed_port},
};

const OK_RESPONSE: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const NO_CONTENT: &str = "HTTP/1.1 204 No Content\r\n\r\n";

/// Long enough for a response on a busy machine, short enough to wait for.
const TIMEOUT_MILLIS: u64 = 1000;

#[tokio::test]
async fn the_request_has_the_expected_headers_and_body() {
    let mut server = Server::start(Behavior::Respond(OK_RESPONSE.to_owned())).await;
    let url = server.url("/?wc-api=oncharge_callback");
    let sent = send(&sandbox(), &url).await;
    assert_eq!((sent.status, sent.response.as_str()), (Ok(200), "ok"));
    assert_eq!(sent.retry_after, None);
    let request = server.next().await;
    assert_eq!(request.line(), "POST /?wc-api=oncharge_callback HTTP/1.1");
    assert_eq!(request.body, br#"{"event":"payment.captured"}"#);
    for (name, value) in [
        ("host", server.address.to_string().as_str()),
        ("content-type", "application/json"),
        ("x-oncharge-signature", "00ff"),
        ("webhook-id", "evt_1"),
        (
            "user-agent",
            concat!("OnCharge-Webhooks/", env!("CARGO_PKG_VERSION")),
        ),
    ] {
        assert_eq!(request.header(name), Some(value), "{name}");
    }
    for name in ["accept-encoding", "cookie", "referer", "authorization"] {
        assert_eq!(request.header(name), None, "{name}");
    }
}

#[tokio::test]
async fn path_and_query_are_sent_unchanged() {
    let mut server = Server::start(Behavior::Respond(NO_CONTENT.to_owned())).await;
    let sender = sandbox();
    for (written, line) in [
        ("", "/"),
        ("?a=1", "/?a=1"),
        ("/Hook//x/", "/Hook//x/"),
        ("/a%2Fb%20c?d=%C3%A4&e=f+g&h", "/a%2Fb%20c?d=%C3%A4&e=f+g&h"),
        (
            "/x;y=1,2/@z?u=https://v.example/?w",
            "/x;y=1,2/@z?u=https://v.example/?w",
        ),
        ("/?", "/?"),
        (
            "/~$&'()*+!:|^?a[b]={c}|d^e`~",
            "/~$&'()*+!:|^?a[b]={c}|d^e`~",
        ),
        // In the form of the URL standard, not as given.
        ("/ä/../b?c=ä", "/b?c=%C3%A4"),
    ] {
        let sent = send(&sender, &server.url(written)).await;
        assert_eq!(sent.status, Ok(204), "{written}");
        assert_eq!(
            server.next().await.line(),
            format!("POST {line} HTTP/1.1"),
            "{written}"
        );
    }
}

#[tokio::test]
async fn every_status_is_a_response_and_redirects_are_not_followed() {
    let elsewhere = Server::start(Behavior::Respond(OK_RESPONSE.to_owned())).await;
    for status in [
        200, 201, 204, 299, 301, 302, 307, 308, 400, 401, 404, 410, 429, 500, 503,
    ] {
        let location = elsewhere.url("/");
        let response = format!(
            "HTTP/1.1 {status} Whatever\r\nLocation: {location}\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n"
        );
        let server = Server::start(Behavior::Respond(response)).await;
        let sent = send(&sandbox(), &server.url("/")).await;
        assert_eq!((sent.status, sent.response.as_str()), (Ok(status), ""));
    }
    assert_eq!(elsewhere.connections(), 0);
}

#[tokio::test]
async fn retry_after_is_read() {
    for (value, seconds) in [
        ("120", Some(120)),
        ("Sun, 22 Nov 2026 20:31:10 GMT", Some(120)),
        ("later", None),
    ] {
        let response =
            format!("HTTP/1.1 503 Busy\r\nRetry-After: {value}\r\nContent-Length: 4\r\n\r\nbusy");
        let server = Server::start(Behavior::Respond(response)).await;
        let sent = send(&sandbox(), &server.url("/")).await;
        assert_eq!((sent.status, sent.response.as_str()), (Ok(503), "busy"));
        assert_eq!(
            sent.retry_after,
            seconds.map(Duration::from_secs),
            "{value}"
        );
    }
}

#[tokio::test]
async fn cookies_are_dropped_and_connections_reused() {
    let cookie = "HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 2\r\n\r\nok";
    let mut server = Server::start(Behavior::Respond(cookie.to_owned())).await;
    let sender = sandbox();
    for _ in 0..3 {
        assert_eq!(send(&sender, &server.url("/")).await.status, Ok(200));
        assert_eq!(server.next().await.header("cookie"), None);
    }
    assert_eq!(server.connections(), 1);
}

#[test]
fn the_default_timeout_is_ten_seconds() {
    assert_eq!(config(|_| {}).timeout, Duration::from_secs(10));
}

#[tokio::test]
async fn a_silent_server_times_out() {
    for behavior in [
        Behavior::Hang,
        Behavior::Drip("", "H"),
        Behavior::Drip("HTTP/1.1 200 OK\r\n", "X-More: x\r\n"),
        Behavior::Drip("", "HTTP/1.1 103 Early Hints\r\n\r\n"),
    ] {
        let server = Server::start(behavior.clone()).await;
        let started = Instant::now();
        let sent = send(&sender_with_timeout(300), &server.url("/")).await;
        assert_eq!(sent.status, Err(SendError::Timeout), "{behavior:?}");
        assert!(sent.latency >= Duration::from_millis(300), "{behavior:?}");
        assert!(started.elapsed() < Duration::from_secs(5), "{behavior:?}");
    }
}

#[tokio::test]
async fn a_slow_or_broken_body_keeps_the_success() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (behavior, response) in [
        (
            Behavior::Drip("HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\nok", ""),
            "ok",
        ),
        (
            Behavior::RespondAndClose(
                "HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\nok".to_owned(),
            ),
            "ok",
        ),
        (
            Behavior::RespondAndClose(format!("{chunked}2\r\nok\r\nnonsense\r\n")),
            "ok",
        ),
        (
            Behavior::RespondAndClose("HTTP/1.1 200 OK\r\n\r\nok".to_owned()),
            "ok",
        ),
        (
            Behavior::RespondAndClose("HTTP/1.0 200 OK\r\n\r\nok".to_owned()),
            "ok",
        ),
    ] {
        let server = Server::start(behavior.clone()).await;
        let started = Instant::now();
        let sent = send(&sender_with_timeout(TIMEOUT_MILLIS), &server.url("/")).await;
        assert_eq!(
            (sent.status, sent.response.as_str()),
            (Ok(200), response),
            "{behavior:?}"
        );
        assert!(started.elapsed() < Duration::from_secs(5), "{behavior:?}");
    }
}

#[tokio::test]
async fn one_kilobyte_of_an_endless_body_is_read() {
    for head in [
        "HTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
    ] {
        let server = Server::start(Behavior::Flood(head)).await;
        let sent = send(&sandbox(), &server.url("/")).await;
        assert_eq!((sent.status, sent.response), (Ok(200), "x".repeat(1024)));
        // No more than the kernel's buffers hold.
        assert!(
            server.bytes_written() < 64 << 20,
            "{} bytes",
            server.bytes_written()
        );
    }
}

#[tokio::test]
async fn an_endless_head_is_an_error() {
    let server = Server::start(Behavior::Flood("HTTP/1.1 200 OK\r\nX-Long: ")).await;
    let sent = send(&sandbox(), &server.url("/")).await;
    assert_eq!(sent.status, Err(SendError::BrokenAnswer));
    assert!(
        server.bytes_written() < 64 << 20,
        "{} bytes",
        server.bytes_written()
    );
}

#[tokio::test]
async fn a_broken_connection_is_an_error() {
    for behavior in [
        Behavior::CloseImmediately,
        Behavior::RespondAndClose(String::new()),
        Behavior::RespondAndClose("HTTP/1.1 20".to_owned()),
        Behavior::RespondAndClose("HTTP/1.1 200 OK\r\nContent-Le".to_owned()),
        Behavior::RespondAndClose("SSH-2.0-OpenSSH_9.2\r\n".to_owned()),
        Behavior::RespondAndClose("<html>hello</html>".to_owned()),
        Behavior::RespondAndClose("HTTP/1.1 abc OK\r\n\r\n".to_owned()),
    ] {
        let server = Server::start(behavior.clone()).await;
        let sent = send(&sandbox(), &server.url("/")).await;
        assert_eq!(sent.status, Err(SendError::BrokenAnswer), "{behavior:?}");
        assert_eq!((sent.response.as_str(), sent.retry_after), ("", None));
    }
}

#[tokio::test]
async fn a_closed_port_cannot_be_connected_to() {
    let (_kept, address) = closed_port();
    let sent = send(&sandbox(), &format!("http://{address}/")).await;
    assert_eq!(sent.status, Err(SendError::CannotConnect));
}
