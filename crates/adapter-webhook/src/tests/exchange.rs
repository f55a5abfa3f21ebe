//! What goes over the wire, and what comes of all that can come back.

use std::time::{Duration, Instant};

use oncharge_domain::webhook::SendError;

use super::{
    impatient, parts, sandbox, send,
    server::{Does, Server, deaf},
};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const NO_CONTENT: &str = "HTTP/1.1 204 No Content\r\n\r\n";

/// Long enough for an answer on a busy machine, short enough to wait for.
const PATIENCE: u64 = 1000;

#[tokio::test]
async fn the_request_arrives_as_it_was_meant() {
    let mut server = Server::start(Does::Answer(OK.to_owned())).await;
    let url = server.url("/?wc-api=oncharge_callback");
    let sent = send(&sandbox(), &url).await;
    assert_eq!((sent.answer, sent.response.as_str()), (Ok(200), "ok"));
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
async fn path_and_query_stay_as_the_merchant_wrote_them() {
    let mut server = Server::start(Does::Answer(NO_CONTENT.to_owned())).await;
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
        // Not to the letter: as the URL standard writes it.
        ("/ä/../b?c=ä", "/b?c=%C3%A4"),
    ] {
        let sent = send(&sender, &server.url(written)).await;
        assert_eq!(sent.answer, Ok(204), "{written}");
        assert_eq!(
            server.next().await.line(),
            format!("POST {line} HTTP/1.1"),
            "{written}"
        );
    }
}

#[tokio::test]
async fn every_status_is_an_answer_and_a_redirect_is_not_followed() {
    let elsewhere = Server::start(Does::Answer(OK.to_owned())).await;
    for status in [
        200, 201, 204, 299, 301, 302, 307, 308, 400, 401, 404, 410, 429, 500, 503,
    ] {
        let location = elsewhere.url("/");
        let answer = format!(
            "HTTP/1.1 {status} Whatever\r\nLocation: {location}\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n"
        );
        let server = Server::start(Does::Answer(answer)).await;
        let sent = send(&sandbox(), &server.url("/")).await;
        assert_eq!((sent.answer, sent.response.as_str()), (Ok(status), ""));
    }
    assert_eq!(elsewhere.connections(), 0);
}

#[tokio::test]
async fn the_pause_that_is_asked_for_is_read() {
    for (value, seconds) in [
        ("120", Some(120)),
        ("Sun, 22 Nov 2026 20:31:10 GMT", Some(120)),
        ("later", None),
    ] {
        let answer =
            format!("HTTP/1.1 503 Busy\r\nRetry-After: {value}\r\nContent-Length: 4\r\n\r\nbusy");
        let server = Server::start(Does::Answer(answer)).await;
        let sent = send(&sandbox(), &server.url("/")).await;
        assert_eq!((sent.answer, sent.response.as_str()), (Ok(503), "busy"));
        assert_eq!(
            sent.retry_after,
            seconds.map(Duration::from_secs),
            "{value}"
        );
    }
}

#[tokio::test]
async fn no_cookie_comes_back_and_a_connection_is_used_again() {
    let cookie = "HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 2\r\n\r\nok";
    let mut server = Server::start(Does::Answer(cookie.to_owned())).await;
    let sender = sandbox();
    for _ in 0..3 {
        assert_eq!(send(&sender, &server.url("/")).await.answer, Ok(200));
        assert_eq!(server.next().await.header("cookie"), None);
    }
    assert_eq!(server.connections(), 1);
}

#[test]
fn the_products_limit_is_ten_seconds() {
    assert_eq!(parts(|_| {}).limit, Duration::from_secs(10));
}

#[tokio::test]
async fn who_never_answers_is_waited_for_no_longer_than_the_limit() {
    for does in [
        Does::Hang,
        Does::Drip("", "H"),
        Does::Drip("HTTP/1.1 200 OK\r\n", "X-More: x\r\n"),
        Does::Drip("", "HTTP/1.1 103 Early Hints\r\n\r\n"),
    ] {
        let server = Server::start(does.clone()).await;
        let begun = Instant::now();
        let sent = send(&impatient(300), &server.url("/")).await;
        assert_eq!(sent.answer, Err(SendError::Timeout), "{does:?}");
        assert!(sent.latency >= Duration::from_millis(300), "{does:?}");
        assert!(begun.elapsed() < Duration::from_secs(5), "{does:?}");
    }
}

#[tokio::test]
async fn a_body_that_drips_or_breaks_does_not_undo_a_success() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (does, response) in [
        (
            Does::Drip("HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\nok", ""),
            "ok",
        ),
        (
            Does::AnswerAndClose("HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\nok".to_owned()),
            "ok",
        ),
        (
            Does::AnswerAndClose(format!("{chunked}2\r\nok\r\nnonsense\r\n")),
            "ok",
        ),
        (
            Does::AnswerAndClose("HTTP/1.1 200 OK\r\n\r\nok".to_owned()),
            "ok",
        ),
        (
            Does::AnswerAndClose("HTTP/1.0 200 OK\r\n\r\nok".to_owned()),
            "ok",
        ),
    ] {
        let server = Server::start(does.clone()).await;
        let begun = Instant::now();
        let sent = send(&impatient(PATIENCE), &server.url("/")).await;
        assert_eq!(
            (sent.answer, sent.response.as_str()),
            (Ok(200), response),
            "{does:?}"
        );
        assert!(begun.elapsed() < Duration::from_secs(5), "{does:?}");
    }
}

#[tokio::test]
async fn of_an_endless_body_a_kilobyte_is_read() {
    for head in [
        "HTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
    ] {
        let server = Server::start(Does::Flood(head)).await;
        let sent = send(&sandbox(), &server.url("/")).await;
        assert_eq!((sent.answer, sent.response), (Ok(200), "x".repeat(1024)));
        // What the kernel's buffers hold, and no more.
        assert!(server.written() < 64 << 20, "{} bytes", server.written());
    }
}

#[tokio::test]
async fn an_endless_head_is_no_answer() {
    let server = Server::start(Does::Flood("HTTP/1.1 200 OK\r\nX-Long: ")).await;
    let sent = send(&sandbox(), &server.url("/")).await;
    assert_eq!(sent.answer, Err(SendError::BrokenAnswer));
    assert!(server.written() < 64 << 20, "{} bytes", server.written());
}

#[tokio::test]
async fn a_connection_that_breaks_is_a_broken_answer() {
    for does in [
        Does::CloseAtOnce,
        Does::AnswerAndClose(String::new()),
        Does::AnswerAndClose("HTTP/1.1 20".to_owned()),
        Does::AnswerAndClose("HTTP/1.1 200 OK\r\nContent-Le".to_owned()),
        Does::AnswerAndClose("SSH-2.0-OpenSSH_9.2\r\n".to_owned()),
        Does::AnswerAndClose("<html>hello</html>".to_owned()),
        Does::AnswerAndClose("HTTP/1.1 abc OK\r\n\r\n".to_owned()),
    ] {
        let server = Server::start(does.clone()).await;
        let sent = send(&sandbox(), &server.url("/")).await;
        assert_eq!(sent.answer, Err(SendError::BrokenAnswer), "{does:?}");
        assert_eq!((sent.response.as_str(), sent.retry_after), ("", None));
    }
}

#[tokio::test]
async fn where_nobody_listens_there_is_no_connection() {
    let (_kept, address) = deaf();
    let sent = send(&sandbox(), &format!("http://{address}/")).await;
    assert_eq!(sent.answer, Err(SendError::CannotConnect));
}
