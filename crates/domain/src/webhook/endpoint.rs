//! A merchant's webhook endpoint: its URL, signing keys and health.

use std::{fmt, net::IpAddr};

use url::{Host, Url};

use super::{
    address::is_public,
    secret::{EndpointSecrets, WebhookSecret},
};
use strum::{EnumString, IntoStaticStr};

use crate::{
    id::{ApiKeyId, EndpointId, MerchantId},
    text::{TextError, web_url},
    time::Timestamp,
};

/// The URL that events are posted to: an absolute `https` URL, query included, without user info
/// and fragment, whose host is not a private IP address (in the sandbox, `http` to loopback).
///
/// Host names are not checked here: the addresses that they resolve to are checked on each
/// connection. The query may contain a secret of the merchant's, so `Debug` leaves it out.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct EndpointUrl(String);

impl EndpointUrl {
    /// Parses the URL; errors with the rule that it violates.
    pub fn parse(text: &str, sandbox: bool) -> Result<Self, TextError> {
        let url = web_url(text, sandbox)?;
        if is_allowed_host(&url) {
            Ok(Self(text.to_owned()))
        } else {
            Err(TextError::Address)
        }
    }

    /// The URL as the merchant wrote it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The URL's host, for logs: path and query may contain a secret.
    pub fn host(&self) -> String {
        let url = Url::parse(&self.0).ok();
        let host = url.as_ref().and_then(Url::host_str);
        host.unwrap_or_default().to_owned()
    }

    /// The URL without its query, for logs and people.
    pub fn without_query(&self) -> &str {
        self.0.split('?').next().unwrap_or_default()
    }
}

impl fmt::Debug for EndpointUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EndpointUrl({})", self.without_query())
    }
}

fn is_allowed_host(url: &Url) -> bool {
    let literal = match url.host() {
        Some(Host::Ipv4(address)) => IpAddr::V4(address),
        Some(Host::Ipv6(address)) => IpAddr::V6(address),
        Some(Host::Domain(_)) => return true,
        None => return false,
    };
    is_allowed_address(url.scheme() == "https", literal)
}

/// Whether a URL may lead to this address: `https` only to the public internet, and `http` (which
/// only a sandbox accepts) only to this machine. Check the address that is connected to, at every
/// attempt.
pub fn is_allowed_address(is_https: bool, address: IpAddr) -> bool {
    if is_https {
        is_public(address)
    } else {
        address.to_canonical().is_loopback()
    }
}

/// A merchant's webhook endpoint; each merchant has one at most.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookEndpoint {
    /// Its id, from its creation to its removal: a delivery names the endpoint that it was created
    /// for, even if the URL has changed since.
    pub id: EndpointId,
    /// The endpoint's merchant.
    pub merchant: MerchantId,
    /// The number of changes by the merchant, from 1.
    pub version: u32,
    /// The URL that events are posted to.
    pub url: EndpointUrl,
    /// The API key that it was set with, which keeps signing through a rotation's grace period.
    pub key: ApiKeyId,
    /// The secrets of Standard Webhooks signatures.
    pub secrets: EndpointSecrets,
    /// Why it is disabled; `None` while it is enabled.
    pub disabled: Option<DisabledState>,
    /// Since when every attempt has failed; `None` if the last one succeeded or none was made.
    pub failing_since: Option<Timestamp>,
    /// When the merchant's first endpoint was set.
    pub created_at: Timestamp,
    /// When the merchant last changed it.
    pub updated_at: Timestamp,
}

impl WebhookEndpoint {
    /// A new endpoint of this merchant.
    pub fn new(
        id: EndpointId,
        merchant: MerchantId,
        url: EndpointUrl,
        key: ApiKeyId,
        secret: WebhookSecret,
        now: Timestamp,
    ) -> Self {
        Self {
            id,
            merchant,
            version: 1,
            url,
            key,
            secrets: EndpointSecrets::new(secret),
            disabled: None,
            failing_since: None,
            created_at: now,
            updated_at: now,
        }
    }

    /// The endpoint after the merchant has set it to this URL with this API key: enabled, and with
    /// the new secret if the URL differs.
    #[must_use]
    pub fn reconfigured(
        &self,
        url: EndpointUrl,
        key: ApiKeyId,
        secret: WebhookSecret,
        now: Timestamp,
    ) -> Self {
        let secrets = if url == self.url {
            self.secrets.clone()
        } else {
            self.secrets.rotated_to(secret, now)
        };
        Self {
            version: self.version.saturating_add(1),
            url,
            key,
            secrets,
            disabled: None,
            failing_since: None,
            updated_at: now,
            ..self.clone()
        }
    }
}

/// Why and when an endpoint was disabled; setting it again enables it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DisabledState {
    /// Why.
    pub reason: DisableReason,
    /// When it was disabled.
    pub at: Timestamp,
}

/// Why an endpoint is disabled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumString, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum DisableReason {
    /// It returned 410 Gone.
    Gone,
    /// Every attempt failed for five days.
    Failing,
}

impl DisableReason {
    /// The name in the store.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_url_keeps_its_query() {
        let text = "https://shop.example.com/?wc-api=oncharge_callback";
        let url = EndpointUrl::parse(text, false).unwrap();
        assert_eq!(url.as_str(), text);
        assert_eq!(format!("{url:?}"), "EndpointUrl(https://shop.example.com/)");
    }

    #[test]
    fn invalid_endpoint_urls_are_refused() {
        for (text, problem) in [
            ("http://shop.example.com/", TextError::Url),
            ("ftp://shop.example.com/", TextError::Url),
            ("https://user:pw@shop.example.com/", TextError::Url),
            ("https://@shop.example.com/", TextError::Url),
            ("https://shop.example.com/#x", TextError::Url),
            ("https:///x", TextError::Url),
            ("/x", TextError::Url),
            ("https://127.0.0.1/", TextError::Address),
            ("https://2130706433/", TextError::Address),
            ("https://0x7f.1/", TextError::Address),
            ("https://0177.0.0.1/", TextError::Address),
            ("https://10.0.0.1./", TextError::Address),
            ("https://169.254.169.254/latest/", TextError::Address),
            ("https://１２７.0.0.1/", TextError::Address),
            ("https://[::1]/", TextError::Address),
            ("https://[::ffff:10.0.0.1]/", TextError::Address),
            ("https://[fd00::1]/", TextError::Address),
        ] {
            for sandbox in [false, true] {
                let refused = EndpointUrl::parse(text, sandbox);
                assert_eq!(refused, Err(problem), "{text}");
            }
        }
    }

    #[test]
    fn http_is_limited_to_sandbox_loopback() {
        for text in [
            "http://127.0.0.1:8083/webhooks",
            "http://localhost/x",
            "http://[::1]:1/",
        ] {
            assert!(EndpointUrl::parse(text, true).is_ok(), "{text}");
            assert_eq!(EndpointUrl::parse(text, false), Err(TextError::Url));
        }
    }
}
