//! TLS: trusted certificates, and both versions of HTTP over it.

use std::{sync::Arc, time::Duration};

use oncharge_domain::webhook::SendError;
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::{
    ScriptedLookup, send, sender,
    server::{Behavior, Server, closed_port},
};
use crate::HttpSender;

const OK_RESPONSE: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// A self-signed certificate and its key.
struct Identity {
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
}

impl Identity {
    fn new(name: &str, change: impl FnOnce(&mut CertificateParams)) -> Self {
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        Self {
            certificate: params.self_signed(&key).unwrap().der().clone(),
            key: PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        }
    }

    fn server_config(&self, alpn: &[&str]) -> rustls::ServerConfig {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![self.certificate.clone()], self.key.clone_key())
            .unwrap();
        config.alpn_protocols = alpn.iter().map(|it| it.as_bytes().to_vec()).collect();
        config
    }

    /// A sender that trusts this certificate, if any, and resolves all names to this machine, which
    /// it treats as the public internet.
    fn sender_trusting(trusted: Option<&Self>) -> HttpSender {
        sender(|config| {
            config.lookup = ScriptedLookup::new(&[&["127.0.0.1"]]);
            config.is_allowed_address = |is_https, address| is_https && address.is_loopback();
            if let Some(identity) = trusted {
                config.roots = rustls::RootCertStore::empty();
                config.roots.add(identity.certificate.clone()).unwrap();
            }
        })
    }
}

#[tokio::test]
async fn a_trusted_certificate_is_accepted() {
    let identity = Identity::new("shop.example.com", |_| {});
    let tls = identity.server_config(&["http/1.1"]);
    let mut server = Server::start_tls(Behavior::Respond(OK_RESPONSE.to_owned()), tls).await;
    let url = server.url_of("https", "shop.example.com");
    let sent = send(&Identity::sender_trusting(Some(&identity)), &url).await;
    assert_eq!((sent.status, sent.response.as_str()), (Ok(200), "ok"));
    let host = format!("shop.example.com:{}", server.address.port());
    assert_eq!(server.next().await.header("host"), Some(host.as_str()));
}

#[tokio::test]
async fn invalid_certificates_are_refused() {
    let self_signed = Identity::new("shop.example.com", |_| {});
    let other = Identity::new("other.example.com", |_| {});
    let expired = Identity::new("shop.example.com", |params| {
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 1, 1);
    });
    for (identity, trusted, case) in [
        (&self_signed, None, "signed by itself"),
        (&self_signed, Some(&other), "signed by an untrusted key"),
        (&other, Some(&other), "of another name"),
        (&expired, Some(&expired), "expired"),
    ] {
        let tls = identity.server_config(&[]);
        let server = Server::start_tls(Behavior::Respond(OK_RESPONSE.to_owned()), tls).await;
        let url = server.url_of("https", "shop.example.com");
        let sent = send(&Identity::sender_trusting(trusted), &url).await;
        assert_eq!(sent.status, Err(SendError::Tls), "{case}");
    }
}

#[tokio::test]
async fn a_server_without_tls_fails_the_handshake() {
    for behavior in [
        Behavior::CloseImmediately,
        Behavior::RespondAndClose("HTTP/1.1 400 Bad Request\r\n\r\n".to_owned()),
    ] {
        let server = Server::start(behavior.clone()).await;
        let url = server.url_of("https", "shop.example.com");
        let sent = send(&Identity::sender_trusting(None), &url).await;
        assert_eq!(sent.status, Err(SendError::Tls), "{behavior:?}");
    }
}

#[tokio::test]
async fn a_hanging_handshake_times_out() {
    let server = Server::start(Behavior::Hang).await;
    let sender_with_timeout = sender(|config| {
        config.lookup = ScriptedLookup::new(&[&["127.0.0.1"]]);
        config.is_allowed_address = |_, _| true;
        config.timeout = Duration::from_millis(200);
    });
    let sent = send(
        &sender_with_timeout,
        &server.url_of("https", "shop.example.com"),
    )
    .await;
    assert_eq!(sent.status, Err(SendError::Timeout));
}

#[tokio::test]
async fn a_closed_port_cannot_be_connected_to() {
    let (_kept, address) = closed_port();
    let url = format!("https://shop.example.com:{}/", address.port());
    let sent = send(&Identity::sender_trusting(None), &url).await;
    assert_eq!(sent.status, Err(SendError::CannotConnect));
}

#[tokio::test]
async fn http_2_is_negotiated() {
    let identity = Identity::new("shop.example.com", |_| {});
    let acceptor = TlsAcceptor::from(Arc::new(identity.server_config(&["h2"])));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let url = format!("https://shop.example.com:{port}/hook?a=b");
    let sender = Identity::sender_trusting(Some(&identity));
    let server = async {
        let stream = acceptor
            .accept(listener.accept().await.unwrap().0)
            .await
            .unwrap();
        let mut connection = h2::server::handshake(stream).await.unwrap();
        let (request, mut respond) = connection.accept().await.unwrap().unwrap();
        let response = http::Response::builder().status(503).body(()).unwrap();
        let mut body = respond.send_response(response, false).unwrap();
        body.send_data(vec![b'x'; 5000].into(), false).unwrap();
        // Keeps the connection open without ending the body.
        while connection.accept().await.is_some() {}
        drop(body);
        request.uri().to_string()
    };
    let client = async {
        let sent = send(&sender, &url).await;
        drop(sender);
        sent
    };
    let (sent, uri) = tokio::join!(client, server);
    assert_eq!((sent.status, sent.response), (Ok(503), "x".repeat(1024)));
    assert_eq!(uri, url);
}
