//! The sender: one delivery attempt.

use std::{
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use oncharge_domain::webhook::SendError;
use oncharge_ports::{
    clock::Clock,
    webhook_sender::{SendOutcome, Webhook, WebhookSender},
};
use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use tokio::time::{error::Elapsed, timeout_at};
use url::{Host, Url};

use crate::{
    client::{self, HttpClientError},
    config::SenderConfig,
    failure,
    resolver::AddressPolicy,
    response,
};

/// Sends webhooks over HTTP/1.1 and HTTP/2.
///
/// URLs are sent in the form of the URL standard. A merchant's valid URL is sent unchanged; a space
/// or an umlaut is percent-encoded, `/a/../b` becomes `/b`.
pub struct HttpSender {
    clock: Arc<dyn Clock>,
    timeout: Duration,
    is_allowed_address: AddressPolicy,
    https: reqwest::Client,
    /// A separate client, because it may reach other addresses than the one for `https`, and a
    /// resolver does not receive the scheme. Only in a sandbox.
    http: Option<reqwest::Client>,
}

impl HttpSender {
    /// Builds a sender for `https` to the public internet and, in a `sandbox`, `http` to this
    /// machine.
    ///
    /// Trusts the machine's root certificates. Errors if TLS cannot be set up.
    pub fn new(clock: Arc<dyn Clock>, sandbox: bool) -> Result<Self, HttpClientError> {
        Self::from_config(SenderConfig::new(clock, sandbox))
    }

    pub(crate) fn from_config(config: SenderConfig) -> Result<Self, HttpClientError> {
        let http = if config.sandbox {
            Some(client::http_client(&config)?)
        } else {
            None
        };
        Ok(Self {
            https: client::https_client(&config)?,
            http,
            clock: config.clock,
            timeout: config.timeout,
            is_allowed_address: config.is_allowed_address,
        })
    }

    /// Selects the client for a URL. Names are checked when they are resolved, but a host that is
    /// an address is never resolved, so it is checked here.
    fn client(&self, url: &Url) -> Result<&reqwest::Client, SendError> {
        let is_https = url.scheme() == "https";
        let client = match url.scheme() {
            "https" => &self.https,
            "http" => self.http.as_ref().ok_or(SendError::ForbiddenAddress)?,
            _ => return Err(SendError::ForbiddenAddress),
        };
        let ip_address = match url.host() {
            Some(Host::Ipv4(address)) => IpAddr::V4(address),
            Some(Host::Ipv6(address)) => IpAddr::V6(address),
            Some(Host::Domain(_)) => return Ok(client),
            None => return Err(SendError::UnknownHost),
        };
        if (self.is_allowed_address)(is_https, ip_address) {
            Ok(client)
        } else {
            Err(SendError::ForbiddenAddress)
        }
    }

    /// Posts, and waits for the response's head.
    async fn post(&self, webhook: &Webhook) -> Result<reqwest::Response, SendError> {
        let url = Url::parse(webhook.url.as_str()).map_err(|_| SendError::UnknownHost)?;
        let mut request = self
            .client(&url)?
            .post(url)
            .header(CONTENT_TYPE, "application/json");
        for (name, value) in &webhook.headers {
            request = request.header(*name, value);
        }
        let sent = request.body(webhook.body.clone()).send().await;
        sent.map_err(|error| {
            // The URL's path and query may contain a secret of the merchant.
            let error = error.without_url();
            let reason = failure::classify(&error);
            tracing::debug!(
                host = webhook.url.host(),
                reason = reason.name(),
                error = &error as &(dyn std::error::Error + 'static),
                "a webhook got no response"
            );
            reason
        })
    }

    fn retry_after(&self, headers: &HeaderMap) -> Option<Duration> {
        let text = headers.get(RETRY_AFTER)?.to_str().ok()?;
        response::retry_after(text, self.clock.now())
    }
}

#[async_trait]
impl WebhookSender for HttpSender {
    /// Its `latency` is the time until the response's head was received, or the attempt had failed.
    async fn send(&self, webhook: &Webhook) -> SendOutcome {
        let started = Instant::now();
        let deadline = tokio::time::Instant::from_std(started) + self.timeout;
        let result = match timeout_at(deadline, self.post(webhook)).await {
            Ok(result) => result,
            Err(Elapsed { .. }) => Err(SendError::Timeout),
        };
        let latency = started.elapsed();
        match result {
            Err(reason) => SendOutcome {
                status: Err(reason),
                response: String::new(),
                retry_after: None,
                latency,
            },
            Ok(response_head) => SendOutcome {
                status: Ok(response_head.status().as_u16()),
                retry_after: self.retry_after(response_head.headers()),
                response: response::read_body_prefix(response_head, deadline).await,
                latency,
            },
        }
    }
}
