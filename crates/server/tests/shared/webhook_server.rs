//! A merchant's webhook server, and the verification of deliveries as merchants do it.

use std::{sync::Arc, time::Instant};

use base64::{Engine, engine::general_purpose::STANDARD};
use ring::{digest, hmac};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

const HEAD_END: &[u8] = b"\r\n\r\n";
/// Maximum size of a request; deliveries are far smaller.
const MAX_BYTES: usize = 1 << 20;

/// A received delivery.
#[derive(Debug, Clone)]
pub(crate) struct Delivery {
    pub(crate) at: Instant,
    /// The request line and the headers.
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

/// The response to a delivery.
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) header: (&'static str, String),
}

impl Delivery {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    pub(crate) fn request_line(&self) -> &str {
        self.head.lines().next().unwrap_or_default()
    }

    /// The headers' names and values.
    pub(crate) fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        let lines = self.head.lines().filter_map(|line| line.split_once(':'));
        lines.map(|(name, value)| (name, value.trim()))
    }

    /// The value of a header; empty if it is missing.
    pub(crate) fn header(&self, name: &str) -> &str {
        let mut named = self
            .headers()
            .filter(|(given, _)| given.eq_ignore_ascii_case(name));
        named.next().map_or("", |(_, value)| value)
    }

    /// As in PHP: `hash_hmac('sha256', $body, hash('sha256', $api_secret))`.
    pub(crate) fn has_plain_signature(&self, api_secret: &str) -> bool {
        let key = hex::encode(digest::digest(&digest::SHA256, api_secret.as_bytes()));
        let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes());
        hex::encode(hmac::sign(&key, &self.body)) == self.header("X-Oncharge-Signature")
    }

    /// Standard Webhooks: over id, timestamp and body, with the secret after `whsec_`.
    pub(crate) fn has_standard_signature(&self, signing_secret: &str) -> bool {
        let encoded = signing_secret.trim_start_matches("whsec_");
        let key = hmac::Key::new(hmac::HMAC_SHA256, &STANDARD.decode(encoded).unwrap());
        let (id, at) = (self.header("webhook-id"), self.header("webhook-timestamp"));
        let mut signed = format!("{id}.{at}.").into_bytes();
        signed.extend(&self.body);
        let right = format!("v1,{}", STANDARD.encode(hmac::sign(&key, &signed)));
        let mut given = self.header("webhook-signature").split(' ');
        given.any(|given| given == right)
    }
}

/// Starts a server on a free port; returns its origin. Without a response it closes the connection.
/// If the client disconnects, the future of `reply` is dropped.
pub(crate) fn start<F>(reply: impl Fn(Delivery) -> F + Send + Sync + 'static) -> String
where
    F: Future<Output = Option<Response>> + Send + 'static,
{
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    listener.set_nonblocking(true).unwrap();
    let listener = TcpListener::from_std(listener).unwrap();
    let reply = Arc::new(reply);
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            let reply = reply.clone();
            tokio::spawn(async move { serve(connection, &*reply).await });
        }
    });
    origin
}

/// Handles deliveries one after another until either side closes the connection.
async fn serve<F>(mut connection: TcpStream, reply: &(impl Fn(Delivery) -> F + Sync))
where
    F: Future<Output = Option<Response>> + Send,
{
    let (mut bytes, mut next) = (Vec::new(), [0; 1]);
    while let Some(delivery) = read(&mut connection, &mut bytes).await {
        let replied = tokio::select! {
            replied = reply(delivery) => replied,
            _ = connection.read(&mut next) => return,
        };
        let Some(Response { status, header }) = replied else {
            return;
        };
        let (name, value) = header;
        let response = format!(
            "HTTP/1.1 {status} As planned\r\n{name}: {value}\r\nContent-Length: 10\r\n\r\nas planned"
        );
        if connection.write_all(response.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// Reads the next complete request; the bytes after it stay in `bytes`.
async fn read(connection: &mut TcpStream, bytes: &mut Vec<u8>) -> Option<Delivery> {
    let mut chunk = vec![0; 16 * 1024];
    loop {
        if let Some(delivery) = parse_request(bytes) {
            return Some(delivery);
        }
        let Ok(count @ 1..) = connection.read(&mut chunk).await else {
            return None;
        };
        bytes.extend(&chunk[..count]);
        if bytes.len() > MAX_BYTES {
            return None;
        }
    }
}

/// Removes the first request from these bytes, if it is complete.
pub(crate) fn parse_request(bytes: &mut Vec<u8>) -> Option<Delivery> {
    let head = bytes
        .windows(HEAD_END.len())
        .position(|window| window == HEAD_END)?;
    let mut delivery = Delivery {
        at: Instant::now(),
        head: String::from_utf8_lossy(&bytes[..head]).into_owned(),
        body: Vec::new(),
    };
    let length: usize = delivery.header("Content-Length").parse().ok()?;
    let begin = head + HEAD_END.len();
    if bytes.len() < begin + length {
        return None;
    }
    delivery.body = bytes[begin..begin + length].to_vec();
    bytes.drain(..begin + length);
    Some(delivery)
}
