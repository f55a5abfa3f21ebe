//! A merchant that signs its requests to one node.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use oncharge_domain::signing::{SignedRequest, SigningKey};
use serde_json::{Value, json};

/// A card that is approved.
pub(crate) const GOOD_CARD: &str = "4242424242424242";

/// A response of the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ApiResponse {
    pub(crate) status: u16,
    pub(crate) replayed: bool,
    pub(crate) body: String,
}

impl ApiResponse {
    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    /// The body, if the status is as expected.
    pub(crate) fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.body);
        self.json()
    }
}

/// A merchant and its shoppers.
#[derive(Clone)]
pub(crate) struct Shop {
    pub(crate) http: reqwest::Client,
    pub(crate) base: String,
    pub(crate) simulator: String,
    api_key: String,
    signing_key: SigningKey,
}

impl Shop {
    /// Created from the ready file, or from the output of `merchant create` with the origins of node
    /// and simulator.
    pub(crate) fn new(ready: &Value) -> Self {
        let text = |name: &str| ready[name].as_str().unwrap().to_owned();
        let _ = rustls::crypto::ring::default_provider().install_default();
        // Shorter than the servers' idle timeout, so that no request is sent on a connection that
        // is being closed.
        let client = reqwest::Client::builder().pool_idle_timeout(Duration::from_secs(1));
        Self {
            http: client.no_proxy().build().unwrap(),
            base: text("base_url"),
            simulator: text("simulator_url"),
            api_key: text("api_key"),
            signing_key: SigningKey::of_secret(&text("api_secret")),
        }
    }

    /// A signed request.
    pub(crate) async fn call(
        &self,
        method: &str,
        target: &str,
        body: &str,
        key: Option<&str>,
    ) -> ApiResponse {
        self.try_call(method, target, body, key).await.unwrap()
    }

    /// A signed request; fails if nothing listens.
    pub(crate) async fn try_call(
        &self,
        method: &str,
        target: &str,
        body: &str,
        key: Option<&str>,
    ) -> Result<ApiResponse, reqwest::Error> {
        let mut request = self
            .http
            .request(method.parse().unwrap(), format!("{}{target}", self.base))
            .body(body.to_owned());
        for (name, value) in self.signature(method, target, body) {
            request = request.header(name, value);
        }
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        read(request).await
    }

    /// The headers that sign a request.
    pub(crate) fn signature(
        &self,
        method: &str,
        target: &str,
        body: &str,
    ) -> [(&'static str, String); 3] {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let timestamp = since.as_secs().to_string();
        let signed = SignedRequest {
            timestamp: &timestamp,
            method,
            target,
            body: body.as_bytes(),
        };
        let signature = self.signing_key.sign(&signed);
        [
            ("X-Oncharge-Key", self.api_key.clone()),
            ("X-Oncharge-Timestamp", timestamp),
            ("X-Oncharge-Signature", signature),
        ]
    }

    /// Sets the merchant's webhook endpoint; returns it.
    pub(crate) async fn set_endpoint(&self, url: &str) -> Value {
        let body = json!({ "url": url }).to_string();
        let response = self.call("PUT", "/v1/webhook_endpoint", &body, None);
        response.await.expect(200)
    }

    /// Requests a one-time token for a card, as the PSP's fields do.
    pub(crate) async fn try_token(&self, card: &str) -> Result<ApiResponse, reqwest::Error> {
        let body = json!({ "number": card, "exp_month": 12, "exp_year": 2040, "cvc": "123" });
        let url = format!("{}/v1/tokens", self.simulator);
        read(self.http.post(url).json(&body)).await
    }

    /// A request of the shopper's page; fails if nothing listens.
    pub(crate) async fn try_shopper(
        &self,
        id: &str,
        pay_token: &str,
        act: &str,
        body: &Value,
    ) -> Result<ApiResponse, reqwest::Error> {
        let url = format!("{}/checkout/{id}/{act}", self.base);
        let request = if act == "status" {
            self.http.get(url)
        } else {
            self.http.post(url).json(body)
        };
        read(request.bearer_auth(pay_token)).await
    }
}

/// The complete response to a request.
pub(crate) async fn read(request: reqwest::RequestBuilder) -> Result<ApiResponse, reqwest::Error> {
    let response = request.send().await?;
    Ok(ApiResponse {
        status: response.status().as_u16(),
        replayed: response.headers().contains_key("Idempotency-Replayed"),
        body: response.text().await?,
    })
}
