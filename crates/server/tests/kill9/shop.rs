//! A merchant that signs its requests to one node.

use std::time::{SystemTime, UNIX_EPOCH};

use oncharge_domain::signing::{SignedRequest, SigningKey};
use serde_json::Value;

/// A card that is approved.
pub(crate) const GOOD_CARD: &str = "4242424242424242";

/// A response of the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ApiResponse {
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl ApiResponse {
    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
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
    /// Created from the output of `merchant create` and the origins of node and simulator.
    pub(crate) fn new(pair: &Value) -> Self {
        let text = |name: &str| pair[name].as_str().unwrap().to_owned();
        Self {
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
            base: text("base_url"),
            simulator: text("simulator_url"),
            api_key: text("api_key"),
            signing_key: SigningKey::of_secret(&text("api_secret")),
        }
    }

    /// A signed request; fails if nothing listens.
    pub(crate) async fn try_call(
        &self,
        method: &str,
        target: &str,
        body: &str,
        key: Option<&str>,
    ) -> Result<ApiResponse, reqwest::Error> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let timestamp = since.as_secs().to_string();
        let signature = self.signing_key.sign(&SignedRequest {
            timestamp: &timestamp,
            method,
            target,
            body: body.as_bytes(),
        });
        let mut request = self
            .http
            .request(method.parse().unwrap(), format!("{}{target}", self.base))
            .header("X-Oncharge-Key", &self.api_key)
            .header("X-Oncharge-Timestamp", timestamp)
            .header("X-Oncharge-Signature", signature)
            .body(body.to_owned());
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        read(request).await
    }
}

/// The complete response to a request.
pub(crate) async fn read(request: reqwest::RequestBuilder) -> Result<ApiResponse, reqwest::Error> {
    let response = request.send().await?;
    Ok(ApiResponse {
        status: response.status().as_u16(),
        body: response.text().await?,
    })
}
