//! The operators' server, over the same store as the API or without a store.

use std::{net::SocketAddr, sync::Arc};

use oncharge_adapter_http::{Ops, serve_ops};

use super::{Response, TestApp, raw};

/// The state of the operators' server, over the store of this server or without one.
pub(crate) fn ops(app: Option<&TestApp>) -> Ops {
    let app = app.map(|test| test.app.clone());
    Ops {
        ready: Arc::new(|| Box::pin(async { Ok(()) })),
        metrics: Arc::new(|| Box::pin(async { String::new() })),
        app: Arc::new(move || app.clone()),
        history: Arc::default(),
        hosts: Vec::new(),
    }
}

/// Starts it.
pub(crate) fn serve(ops: Ops) -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    actix_web::rt::spawn(serve_ops(ops, listener).unwrap());
    address
}

/// Starts the operators' server over the store of this server, or without one.
pub(crate) fn start_ops_server(app: Option<&TestApp>) -> SocketAddr {
    serve(ops(app))
}

/// Sends this request head.
pub(crate) async fn send_head(address: SocketAddr, head: &str) -> Response {
    raw(
        address,
        format!("{head}\r\nConnection: close\r\n\r\n").as_bytes(),
    )
    .await
}

/// Requests a path with an allowed `Host`.
pub(crate) async fn get(address: SocketAddr, path: &str) -> Response {
    send_head(address, &format!("GET {path} HTTP/1.1\r\nHost: localhost")).await
}

/// Requests a page; returns its text.
pub(crate) async fn page(address: SocketAddr, path: &str) -> String {
    let response = get(address, path).await;
    assert_eq!(response.status, 200, "{path}: {response:?}");
    response.text().to_owned()
}
