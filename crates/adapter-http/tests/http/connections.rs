//! Idle and stalled connections, and too many connections.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use actix_web::web;
use oncharge_adapter_http::{ConnectionLimits, Settings};

use crate::support::{TestApp, settings};

/// Long enough for a busy machine.
const TIMEOUT: Duration = Duration::from_secs(60);

async fn app(limits: ConnectionLimits) -> TestApp {
    TestApp::with(Settings {
        connections: limits,
        ..settings()
    })
    .await
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(TIMEOUT)).unwrap();
    stream.set_write_timeout(Some(TIMEOUT)).unwrap();
    stream
}

/// Requests a large response repeatedly and reads nothing, until the server closes the connection.
fn send_without_reading(mut stream: &TcpStream) {
    let request = b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(100);
    while stream.write_all(&request).is_ok() {}
}

/// Whether the server responds on this connection.
fn is_served(mut stream: &TcpStream) -> bool {
    let sent = stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let mut first = [0];
    sent.is_ok() && matches!(stream.read(&mut first), Ok(1))
}

#[actix_web::test]
async fn a_client_that_does_not_read_is_disconnected() {
    let app = app(ConnectionLimits {
        stall_timeout: Duration::from_secs(1),
        ..ConnectionLimits::new()
    })
    .await;
    let address = app.address;
    let elapsed = web::block(move || {
        let started = Instant::now();
        let streams: Vec<TcpStream> = (0..20).map(|_| connect(address)).collect();
        std::thread::scope(|scope| {
            for stream in &streams {
                scope.spawn(move || send_without_reading(stream));
            }
        });
        started.elapsed()
    });
    let elapsed = elapsed.await.unwrap();
    assert!(
        elapsed < TIMEOUT,
        "the server did not close the connections: {elapsed:?}"
    );
    let answered = web::block(move || is_served(&connect(address))).await;
    assert!(answered.unwrap(), "another client is not served");
}

#[actix_web::test]
async fn an_idle_connection_is_closed() {
    let app = app(ConnectionLimits {
        stall_timeout: Duration::from_secs(1),
        ..ConnectionLimits::new()
    })
    .await;
    let address = app.address;
    let rest = web::block(move || {
        let mut stream = connect(address);
        assert!(is_served(&stream));
        stream.read_to_end(&mut Vec::new())
    });
    assert!(rest.await.unwrap().is_ok(), "it ends");
}

#[actix_web::test]
async fn connections_per_address_are_limited() {
    let app = app(ConnectionLimits {
        per_address: 3,
        ..ConnectionLimits::new()
    })
    .await;
    let address = app.address;
    let (held, excess, again) = web::block(move || {
        let held: Vec<TcpStream> = (0..3).map(|_| connect(address)).collect();
        let held_served = held.iter().all(is_served);
        let excess = is_served(&connect(address));
        drop(held);
        let started = Instant::now();
        let mut again = is_served(&connect(address));
        // The server notices the disconnects after a moment.
        while !again && started.elapsed() < TIMEOUT {
            again = is_served(&connect(address));
        }
        (held_served, excess, again)
    })
    .await
    .unwrap();
    assert!(held, "three connections are served");
    assert!(!excess, "the fourth connection is closed");
    assert!(
        again,
        "new connections are served after the others have ended"
    );
}
