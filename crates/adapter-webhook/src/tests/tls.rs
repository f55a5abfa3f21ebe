//! TLS: whom the sender believes, and both versions of HTTP inside.

use std::{sync::Arc, time::Duration};

use oncharge_domain::webhook::SendError;
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::{
    Scripted, send, sender,
    server::{Does, Server, deaf},
};
use crate::HttpSender;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// A certificate that signs itself, and its key.
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

    fn server(&self, alpn: &[&str]) -> rustls::ServerConfig {
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

    /// A sender that believes this certificate, if any, and for whom all names lead to this machine,
    /// which is as good as the internet to it.
    fn believer(believed: Option<&Self>) -> HttpSender {
        sender(|parts| {
            parts.lookup = Scripted::new(&[&["127.0.0.1"]]);
            parts.may_be_reached = |is_https, address| is_https && address.is_loopback();
            if let Some(identity) = believed {
                parts.roots = rustls::RootCertStore::empty();
                parts.roots.add(identity.certificate.clone()).unwrap();
            }
        })
    }
}

#[tokio::test]
async fn a_certificate_that_is_believed_gets_the_webhook() {
    let identity = Identity::new("shop.example.com", |_| {});
    let tls = identity.server(&["http/1.1"]);
    let mut server = Server::encrypted(Does::Answer(OK.to_owned()), tls).await;
    let url = server.url_of("https", "shop.example.com");
    let sent = send(&Identity::believer(Some(&identity)), &url).await;
    assert_eq!((sent.answer, sent.response.as_str()), (Ok(200), "ok"));
    let host = format!("shop.example.com:{}", server.address.port());
    assert_eq!(server.next().await.header("host"), Some(host.as_str()));
}

#[tokio::test]
async fn a_certificate_that_is_not_in_order_gets_nothing() {
    let stranger = Identity::new("shop.example.com", |_| {});
    let other = Identity::new("other.example.com", |_| {});
    let expired = Identity::new("shop.example.com", |params| {
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 1, 1);
    });
    for (identity, believed, case) in [
        (&stranger, None, "signed by itself"),
        (&stranger, Some(&other), "signed by a stranger"),
        (&other, Some(&other), "of another name"),
        (&expired, Some(&expired), "expired"),
    ] {
        let tls = identity.server(&[]);
        let server = Server::encrypted(Does::Answer(OK.to_owned()), tls).await;
        let url = server.url_of("https", "shop.example.com");
        let sent = send(&Identity::believer(believed), &url).await;
        assert_eq!(sent.answer, Err(SendError::Tls), "{case}");
    }
}

#[tokio::test]
async fn who_speaks_no_tls_fails_the_handshake() {
    for does in [
        Does::CloseAtOnce,
        Does::AnswerAndClose("HTTP/1.1 400 Bad Request\r\n\r\n".to_owned()),
    ] {
        let server = Server::start(does.clone()).await;
        let url = server.url_of("https", "shop.example.com");
        let sent = send(&Identity::believer(None), &url).await;
        assert_eq!(sent.answer, Err(SendError::Tls), "{does:?}");
    }
}

#[tokio::test]
async fn a_handshake_that_hangs_counts_against_the_limit() {
    let server = Server::start(Does::Hang).await;
    let impatient = sender(|parts| {
        parts.lookup = Scripted::new(&[&["127.0.0.1"]]);
        parts.may_be_reached = |_, _| true;
        parts.limit = Duration::from_millis(200);
    });
    let sent = send(&impatient, &server.url_of("https", "shop.example.com")).await;
    assert_eq!(sent.answer, Err(SendError::Timeout));
}

#[tokio::test]
async fn where_nobody_listens_there_is_no_connection() {
    let (_kept, address) = deaf();
    let url = format!("https://shop.example.com:{}/", address.port());
    let sent = send(&Identity::believer(None), &url).await;
    assert_eq!(sent.answer, Err(SendError::CannotConnect));
}

#[tokio::test]
async fn http_2_is_spoken_where_the_server_wants_it() {
    let identity = Identity::new("shop.example.com", |_| {});
    let acceptor = TlsAcceptor::from(Arc::new(identity.server(&["h2"])));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let url = format!("https://shop.example.com:{port}/hook?a=b");
    let sender = Identity::believer(Some(&identity));
    let server = async {
        let stream = acceptor
            .accept(listener.accept().await.unwrap().0)
            .await
            .unwrap();
        let mut connection = h2::server::handshake(stream).await.unwrap();
        let (request, mut respond) = connection.accept().await.unwrap().unwrap();
        let answer = http::Response::builder().status(503).body(()).unwrap();
        let mut body = respond.send_response(answer, false).unwrap();
        body.send_data(vec![b'x'; 5000].into(), false).unwrap();
        // Keeps the connection going, with the body not ended.
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
    assert_eq!((sent.answer, sent.response), (Ok(503), "x".repeat(1024)));
    assert_eq!(uri, url);
}
