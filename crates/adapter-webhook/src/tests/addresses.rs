//! Allowed addresses: a forbidden one is never connected to, however it is written.

use std::{net::IpAddr, sync::Arc};

use oncharge_domain::webhook::SendError;

use super::{
    ScriptedLookup, sandbox, send, sender,
    server::{Behavior, Server},
};

const OK_RESPONSE: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const OK_AND_CLOSE: &str = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok";

/// A sender for which all names have these addresses, one list per look-up.
fn sender_resolving_to(responses: &[&[&str]]) -> (crate::HttpSender, Arc<ScriptedLookup>) {
    let lookup = ScriptedLookup::new(responses);
    let given = Arc::clone(&lookup);
    (sender(|config| config.lookup = given), lookup)
}

#[tokio::test]
async fn private_addresses_are_refused_over_https() {
    for inside in [
        "127.0.0.1",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "169.254.169.254",
        "0.0.0.0",
        "224.0.0.1",
        "::1",
        "::",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::7f00:1",
        "fd00:ec2::254",
        "fe80::1",
        "ff02::1",
    ] {
        let (sender, lookup) = sender_resolving_to(&[&[inside]]);
        let sent = send(&sender, "https://shop.example.com/").await;
        assert_eq!(sent.status, Err(SendError::ForbiddenAddress), "{inside}");
        assert_eq!(lookup.names(), ["shop.example.com"]);
    }
}

#[tokio::test]
async fn localhost_is_refused_over_https() {
    let server = Server::start(Behavior::Respond(OK_RESPONSE.to_owned())).await;
    let sent = send(&sandbox(), &server.url_of("https", "localhost")).await;
    assert_eq!(sent.status, Err(SendError::ForbiddenAddress));
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn sandbox_http_reaches_loopback_only() {
    let server = Server::start(Behavior::Respond(OK_RESPONSE.to_owned())).await;
    let url = server.url_of("http", "shop.localhost");
    for outside in ["1.1.1.1", "10.0.0.1", "169.254.169.254", "2606:4700::1111"] {
        let (sender, _) = sender_resolving_to(&[&[outside]]);
        let sent = send(&sender, &url).await;
        assert_eq!(sent.status, Err(SendError::ForbiddenAddress), "{outside}");
    }
    for inside in ["127.0.0.1", "::ffff:127.0.0.1"] {
        let (sender, _) = sender_resolving_to(&[&[inside]]);
        assert_eq!(send(&sender, &url).await.status, Ok(200), "{inside}");
    }
}

#[tokio::test]
async fn http_is_refused_outside_the_sandbox() {
    let server = Server::start(Behavior::Respond(OK_RESPONSE.to_owned())).await;
    let production = sender(|config| config.sandbox = false);
    for url in [server.url("/"), server.url_of("http", "localhost")] {
        let sent = send(&production, &url).await;
        assert_eq!(sent.status, Err(SendError::ForbiddenAddress), "{url}");
    }
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn literal_addresses_are_checked_at_each_send() {
    // No address is public any more, as if the rules had changed since the merchant set the URL.
    let closed = sender(|config| config.is_allowed_address = |_, _| false);
    for url in [
        "https://1.1.1.1/",
        "https://0x01010101/",
        "https://16843009/",
        "https://1.1.257/",
        "https://0001.01.1.1/",
        "https://1.1.1.1./",
        "https://１.1.1.1/",
        "https://%31.1.1.1/",
        "https://[2606:4700::1111]/",
        "https://[::ffff:1.1.1.1]/",
        "https://[64:ff9b::101:101]/",
        "http://127.0.0.1/",
        "http://127.1/",
        "http://[::1]/",
    ] {
        let sent = send(&closed, url).await;
        assert_eq!(sent.status, Err(SendError::ForbiddenAddress), "{url}");
    }
}

#[tokio::test]
async fn each_connection_checks_the_resolved_address() {
    let mut server = Server::start(Behavior::Respond(OK_AND_CLOSE.to_owned())).await;
    let (sender, lookup) =
        sender_resolving_to(&[&["127.0.0.1"], &["169.254.169.254"], &["127.0.0.1"]]);
    let url = server.url_of("http", "rebinding.localhost");
    let mut responses = Vec::new();
    for _ in 0..3 {
        responses.push(send(&sender, &url).await.status);
    }
    let expected = [Ok(200), Err(SendError::ForbiddenAddress), Ok(200)];
    assert_eq!(responses, expected);
    // One look-up per connection: the checked address is the one that was connected to.
    assert_eq!(lookup.names(), ["rebinding.localhost"; 3]);
    assert_eq!(server.connections(), 2);
    let host = format!("rebinding.localhost:{}", server.address.port());
    assert_eq!(server.next().await.header("host"), Some(host.as_str()));
}

#[tokio::test]
async fn a_pooled_connection_keeps_its_checked_address() {
    let server = Server::start(Behavior::Respond(OK_RESPONSE.to_owned())).await;
    let (sender, lookup) = sender_resolving_to(&[&["127.0.0.1"], &["169.254.169.254"]]);
    let url = server.url_of("http", "rebinding.localhost");
    for _ in 0..2 {
        assert_eq!(send(&sender, &url).await.status, Ok(200));
    }
    assert_eq!((lookup.names().len(), server.connections()), (1, 1));
}

#[tokio::test]
async fn only_allowed_addresses_are_connected_to() {
    let allowed = Server::start(Behavior::Respond(OK_RESPONSE.to_owned())).await;
    let port = allowed.address.port();
    let forbidden = Server::start_on(
        &format!("127.0.0.2:{port}"),
        Behavior::Respond(OK_RESPONSE.to_owned()),
        None,
    )
    .await;
    let lookup = ScriptedLookup::new(&[&["127.0.0.2", "127.0.0.1", "127.0.0.2"], &["127.0.0.2"]]);
    let sender = sender(|config| {
        config.lookup = lookup;
        config.is_allowed_address = |_, address| address == IpAddr::from([127, 0, 0, 1]);
    });
    let first = format!("http://one.localhost:{port}/");
    assert_eq!(send(&sender, &first).await.status, Ok(200));
    let second = format!("http://two.localhost:{port}/");
    let sent = send(&sender, &second).await;
    assert_eq!(sent.status, Err(SendError::ForbiddenAddress));
    assert_eq!((allowed.connections(), forbidden.connections()), (1, 0));
}

#[tokio::test]
async fn the_next_address_is_tried_after_a_refused_connection() {
    let server = Server::start(Behavior::Respond(OK_RESPONSE.to_owned())).await;
    let (sender, _) = sender_resolving_to(&[&["127.0.0.3", "127.0.0.1"]]);
    let sent = send(&sender, &server.url_of("http", "shop.localhost")).await;
    assert_eq!(sent.status, Ok(200));
}

#[tokio::test]
async fn a_name_without_addresses_is_an_unknown_host() {
    let empty: &[&str] = &[];
    for responses in [&[][..], &[empty]] {
        let (sender, _) = sender_resolving_to(responses);
        let sent = send(&sender, "https://shop.example.com/").await;
        assert_eq!(sent.status, Err(SendError::UnknownHost));
    }
}

#[tokio::test]
async fn an_invalid_host_is_not_connected_to() {
    for host in ["a{b.example", "a\"b.example", "a`b.example"] {
        let (sender, lookup) = sender_resolving_to(&[&["127.0.0.1"]]);
        let sent = send(&sender, &format!("https://{host}/?secret")).await;
        assert_eq!(sent.status, Err(SendError::CannotConnect), "{host}");
        assert!(lookup.names().is_empty(), "{host}");
    }
}

#[tokio::test]
async fn a_hanging_lookup_times_out() {
    struct HangingLookup;

    #[async_trait::async_trait]
    impl crate::resolver::DnsLookup for HangingLookup {
        async fn addresses(&self, _: &str) -> std::io::Result<Vec<IpAddr>> {
            std::future::pending().await
        }
    }

    let hanging = sender(|config| {
        config.lookup = Arc::new(HangingLookup);
        config.timeout = std::time::Duration::from_millis(100);
    });
    let sent = send(&hanging, "https://shop.example.com/").await;
    assert_eq!(sent.status, Err(SendError::Timeout));
}
