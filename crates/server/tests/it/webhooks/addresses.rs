//! Endpoint URLs are hostile input: they must not reach into the operator's network.

use std::{io::ErrorKind, net::TcpListener};

use serde_json::json;

use super::FAST;
use crate::support::{
    Database, Dev, eventually, on_both,
    webhooks::{Receiver, as_get_response},
};

on_both!(
    a_hostile_url_is_refused,
    a_name_resolving_to_a_private_address_is_never_connected_to
);

async fn a_hostile_url_is_refused(database: Database) {
    let dev = Dev::start(database, &FAST).await;
    let shop = dev.shop();
    let receiver = Receiver::start();
    let set = shop.set_endpoint(&receiver.url).await;
    let long = format!("https://shop.example.com/{}", "x".repeat(2048));
    for url in [
        "https://127.0.0.1/",
        "https://2130706433/",
        "https://0x7f.1/",
        "https://0177.0.0.1/",
        "https://127.0.0.1./",
        "https://１２７.0.0.1/",
        "https://10.0.0.1/",
        "https://172.16.0.1/",
        "https://192.168.1.1/",
        "https://100.64.0.1/",
        "https://169.254.169.254/latest/meta-data/",
        "https://0.0.0.0/",
        "https://224.0.0.1/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[64:ff9b::10.0.0.1]/",
        "https://[fd00:ec2::254]/",
        "https://[fe80::1]/",
        "http://169.254.169.254/",
        "http://10.0.0.1/",
        "http://shop.example.com/",
        "https://user:password@shop.example.com/",
        "https://shop.example.com/#fragment",
        "ftp://shop.example.com/",
        "file:///etc/passwd",
        "//shop.example.com/",
        "",
        &long,
    ] {
        let body = json!({ "url": url }).to_string();
        let response = shop.call("PUT", "/v1/webhook_endpoint", &body, None).await;
        assert_eq!(response.status, 422, "{url}: {}", response.body);
        let problem = response.json();
        assert_eq!(problem["error"], "invalid_request", "{url}");
        assert_eq!(problem["details"][0]["field"], "url", "{url}: {problem}");
    }
    let kept = shop.get("/v1/webhook_endpoint").await.expect(200);
    assert_eq!(
        kept,
        as_get_response(&set),
        "a refused URL changed the endpoint"
    );
    shop.authorized().await;
    receiver.wait_for(1).await;
}

/// A host name is accepted when it is set; its addresses are checked for each connection.
async fn a_name_resolving_to_a_private_address_is_never_connected_to(database: Database) {
    let dev = Dev::start(database, &FAST).await;
    let shop = dev.shop();
    let private_listener = TcpListener::bind("127.0.0.1:0").unwrap();
    private_listener.set_nonblocking(true).unwrap();
    let port = private_listener.local_addr().unwrap().port();
    let url = format!("https://localhost:{port}/hook");
    assert_eq!(shop.set_endpoint(&url).await["url"], url);
    let session = shop.authorized().await;
    let events = shop.events(&session).await;
    let event = events[0]["id"].as_str().unwrap();
    let forbidden = json!("forbidden_address");
    let event = eventually(10, "three attempts", || async {
        let event = shop.event(event).await;
        let attempts = event["attempts"].as_array().unwrap();
        let is_done = attempts.len() >= 3;
        is_done.then(|| event.clone()).ok_or(event.to_string())
    })
    .await;
    for attempt in event["attempts"].as_array().unwrap() {
        assert_eq!(attempt["error"], forbidden, "{attempt}");
    }
    let tested = shop.post("/v1/webhook_endpoint/test", &json!({})).await;
    assert_eq!(tested.expect(200)["error"], forbidden);
    let accepted = private_listener.accept().map_err(|error| error.kind());
    assert_eq!(
        accepted.err(),
        Some(ErrorKind::WouldBlock),
        "a connection was opened"
    );
}
