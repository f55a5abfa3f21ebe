//! Signed requests of a merchant.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicU64, Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

use http_body_util::Full;
use hyper::{Method, Request, body::Bytes, header};
use oncharge_domain::signing::{SignedRequest, SigningKey};
use serde_json::{Value, json};

use crate::http::OutgoingRequest;

/// The path for creating sessions.
pub(crate) const SESSIONS: &str = "/v1/checkout/sessions";
/// The path for creating refunds.
pub(crate) const REFUNDS: &str = "/v1/refunds";

/// A merchant with its key pair.
pub(crate) struct Merchant {
    pub(crate) address: SocketAddr,
    api_key: String,
    signing_key: SigningKey,
    next_key: AtomicU64,
}

impl Merchant {
    /// Creates a merchant with this key pair, calling this address.
    pub(crate) fn new(address: SocketAddr, api_key: String, api_secret: &str) -> Self {
        let signing_key = SigningKey::of_secret(api_secret);
        Self {
            address,
            api_key,
            signing_key,
            next_key: AtomicU64::new(1),
        }
    }

    /// A new idempotency key.
    pub(crate) fn new_key(&self) -> String {
        format!("bench-{}", self.next_key.fetch_add(1, Ordering::Relaxed))
    }

    /// A signed `GET`.
    pub(crate) fn get(&self, target: &str) -> anyhow::Result<OutgoingRequest> {
        self.sign(Method::GET, target, Bytes::new(), None)
    }

    /// A signed `POST`.
    pub(crate) fn post(
        &self,
        target: &str,
        body: impl Into<Bytes>,
        key: Option<String>,
    ) -> anyhow::Result<OutgoingRequest> {
        self.sign(Method::POST, target, body.into(), key)
    }

    fn sign(
        &self,
        method: Method,
        target: &str,
        body: Bytes,
        key: Option<String>,
    ) -> anyhow::Result<OutgoingRequest> {
        let timestamp = now().to_string();
        let signed = SignedRequest {
            timestamp: &timestamp,
            method: method.as_str(),
            target,
            body: &body,
        };
        let signature = self.signing_key.sign(&signed);
        let mut request = Request::builder()
            .method(method)
            .uri(target)
            .header(header::HOST, self.address.to_string())
            .header("x-oncharge-key", &self.api_key)
            .header("x-oncharge-timestamp", timestamp)
            .header("x-oncharge-signature", signature);
        if !body.is_empty() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        Ok(request.body(Full::new(body))?)
    }
}

/// A create request with an e-mail address, so that the blocklist is checked, and one metadata
/// pair.
pub(crate) fn order() -> Value {
    json!({
        "amount": 9_999,
        "currency": "EUR",
        "reference": "order-1",
        "return_url": "https://shop.example.com/thanks",
        "customer_email": "shopper@example.com",
        "metadata": { "cart": "c-81723" },
    })
}

#[expect(
    clippy::disallowed_methods,
    reason = "signs for a server that goes by the real clock"
)]
fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
