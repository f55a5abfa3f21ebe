//! The simulator's configuration.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// A secret text: masked in `Debug`, without `Display`, zeroed when dropped.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Wraps a secret, which is used byte for byte.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The secret's bytes, for a signature.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// Whether `candidate` equals the secret; the time taken reveals only the length.
    pub(crate) fn matches(&self, candidate: &str) -> bool {
        self.bytes().ct_eq(candidate.as_bytes()).into()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(…)")
    }
}

/// The configuration of a simulator. Created by [`Config::new`]; all fields can be changed.
#[derive(Clone, Debug)]
pub struct Config {
    /// The address to listen on; loopback by default.
    pub bind: IpAddr,
    /// The port to listen on; 0 (the default) selects a free one.
    pub port: u16,
    /// The SQLite file, created with its directory if absent. Beside it are SQLite's `-wal` and
    /// `-shm` files and a `.lock` file, which excludes a second simulator.
    pub database: PathBuf,
    /// The bearer token required for `/v1/payments…` and `/v1/operations…`, sent as `Authorization:
    /// Bearer …`.
    pub bearer: Secret,
    /// The account's key for `X-Psp-Signature`; its bytes are used directly as the HMAC key.
    pub notification_key: Secret,
    /// The origin at which browsers reach the simulator, without a trailing slash, if that is not
    /// `http://<bind>:<port>` (behind a proxy). Used in challenge URLs.
    pub public_url: Option<String>,
    /// The account of the Stripe face under `/stripe/v1/`; `None` (the default) turns it off.
    pub stripe: Option<StripeAccount>,
    /// Accepted host names besides `localhost`, its own address and the host of `public_url`.
    pub hosts: Vec<String>,
}

/// The account of the Stripe face.
#[derive(Clone, Debug)]
pub struct StripeAccount {
    /// The key of servers, `sk_test_…`.
    pub secret_key: Secret,
    /// The key of browsers, `pk_test_…`.
    pub publishable_key: String,
    /// Where events are sent; without it there are none.
    pub webhook_url: Option<String>,
    /// Signs events, `whsec_…`; its bytes are used directly as the HMAC key.
    pub webhook_secret: Secret,
    /// The metadata key of a payment intent whose value is its reference in the ledger. A
    /// payment intent without it has its id as the reference.
    pub reference_metadata: Option<String>,
}

impl Config {
    /// A simulator on `database`, on loopback and a free port.
    pub fn new(database: impl Into<PathBuf>, bearer: Secret, notification_key: Secret) -> Self {
        Self {
            bind: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: 0,
            database: database.into(),
            bearer,
            notification_key,
            public_url: None,
            stripe: None,
            hosts: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Config, Secret};

    #[test]
    fn secrets_are_masked_in_debug() {
        let config = Config::new("x", Secret::new("bearer-text"), Secret::new("key-text"));
        let shown = format!("{config:?}");
        assert!(
            !shown.contains("bearer-text") && !shown.contains("key-text"),
            "{shown}"
        );
    }

    #[test]
    fn only_the_exact_secret_matches() {
        let secret = Secret::new("abc");
        assert!(secret.matches("abc"));
        assert!(!secret.matches("abd") && !secret.matches("ab") && !secret.matches(""));
    }
}
