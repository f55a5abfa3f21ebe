//! The sender: one attempt, from the URL to what came of it.

use std::{
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use oncharge_domain::webhook::{SendError, endpoint::may_be_reached};
use oncharge_ports::{
    clock::Clock,
    webhook_sender::{Sent, Webhook, WebhookSender},
};
use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use tokio::time::{error::Elapsed, timeout_at};
use url::{Host, Url};

use crate::{
    answer,
    client::{self, HttpClientError},
    failure,
    resolver::{Lookup, MayBeReached, SystemLookup},
};

/// How long one attempt may take, all in all (product rule: ten seconds).
const LONGEST_EXCHANGE: Duration = Duration::from_secs(10);

/// What a sender is made of; tests put other things here.
pub(crate) struct Parts {
    /// For dates in `Retry-After`.
    pub(crate) clock: Arc<dyn Clock>,
    /// Whether `http` is spoken at all (to this machine).
    pub(crate) sandbox: bool,
    /// How long one attempt may take.
    pub(crate) limit: Duration,
    /// How names become addresses.
    pub(crate) lookup: Arc<dyn Lookup>,
    /// Which addresses are allowed.
    pub(crate) may_be_reached: MayBeReached,
    /// Whose certificates are believed.
    pub(crate) roots: rustls::RootCertStore,
}

impl Parts {
    /// What the product sends with.
    pub(crate) fn new(clock: Arc<dyn Clock>, sandbox: bool) -> Self {
        Self {
            clock,
            sandbox,
            limit: LONGEST_EXCHANGE,
            lookup: Arc::new(SystemLookup::new()),
            may_be_reached,
            roots: client::roots_of_this_machine(),
        }
    }
}

/// Sends webhooks over HTTP/1.1 and HTTP/2.
///
/// URLs go out as the URL standard writes them: for what a merchant writes who keeps to it, that is
/// to the letter; a space or an umlaut is percent-encoded, `/a/../b` becomes `/b`.
pub struct HttpSender {
    clock: Arc<dyn Clock>,
    limit: Duration,
    may_be_reached: MayBeReached,
    https: reqwest::Client,
    /// A client of its own, since it may reach other addresses than the one for `https`, and since
    /// a look-up is not told for which scheme it is made. Only in a sandbox.
    http: Option<reqwest::Client>,
}

impl HttpSender {
    /// A sender that speaks `https` with the public internet and, in a `sandbox`, `http` with this
    /// very machine. Believes the machine's root certificates. Errors where TLS cannot be set up.
    pub fn new(clock: Arc<dyn Clock>, sandbox: bool) -> Result<Self, HttpClientError> {
        Self::from_parts(Parts::new(clock, sandbox))
    }

    pub(crate) fn from_parts(parts: Parts) -> Result<Self, HttpClientError> {
        let http = if parts.sandbox {
            Some(client::plain(&parts)?)
        } else {
            None
        };
        Ok(Self {
            https: client::encrypted(&parts)?,
            http,
            clock: parts.clock,
            limit: parts.limit,
            may_be_reached: parts.may_be_reached,
        })
    }

    /// The client for a URL, or why there is none: names are judged when they are looked up, but a
    /// host that is an address never gets there.
    fn client(&self, url: &Url) -> Result<&reqwest::Client, SendError> {
        let is_https = url.scheme() == "https";
        let client = match url.scheme() {
            "https" => &self.https,
            "http" => self.http.as_ref().ok_or(SendError::ForbiddenAddress)?,
            _ => return Err(SendError::ForbiddenAddress),
        };
        let literal = match url.host() {
            Some(Host::Ipv4(address)) => IpAddr::V4(address),
            Some(Host::Ipv6(address)) => IpAddr::V6(address),
            Some(Host::Domain(_)) => return Ok(client),
            None => return Err(SendError::UnknownHost),
        };
        if (self.may_be_reached)(is_https, literal) {
            Ok(client)
        } else {
            Err(SendError::ForbiddenAddress)
        }
    }

    /// Posts, and waits for the head of the answer.
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
            // The URL's path and query may hold a secret of the merchant's.
            let error = error.without_url();
            let reason = failure::reason(&error);
            tracing::debug!(
                host = webhook.url.host(),
                reason = reason.name(),
                error = &error as &(dyn std::error::Error + 'static),
                "a webhook got no answer"
            );
            reason
        })
    }

    fn retry_after(&self, headers: &HeaderMap) -> Option<Duration> {
        let text = headers.get(RETRY_AFTER)?.to_str().ok()?;
        answer::retry_after(text, self.clock.now())
    }
}

#[async_trait]
impl WebhookSender for HttpSender {
    /// Its `latency` is the time until the head of the answer, which decides, was there (or until
    /// the attempt had failed).
    async fn send(&self, webhook: &Webhook) -> Sent {
        let begun = Instant::now();
        let deadline = tokio::time::Instant::from_std(begun) + self.limit;
        let posted = match timeout_at(deadline, self.post(webhook)).await {
            Ok(posted) => posted,
            Err(Elapsed { .. }) => Err(SendError::Timeout),
        };
        let latency = begun.elapsed();
        match posted {
            Err(reason) => Sent {
                answer: Err(reason),
                response: String::new(),
                retry_after: None,
                latency,
            },
            Ok(head) => Sent {
                answer: Ok(head.status().as_u16()),
                retry_after: self.retry_after(head.headers()),
                response: answer::beginning(head, deadline).await,
                latency,
            },
        }
    }
}
