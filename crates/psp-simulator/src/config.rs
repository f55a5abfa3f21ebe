//! What a simulator is started with.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// A secret text: masked in `Debug`, without `Display`, wiped from memory when dropped.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Wraps a secret. It is used byte for byte as given.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The bytes themselves, for a signature.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// Whether `candidate` is this secret, in a time that tells nothing but the length.
    pub(crate) fn matches(&self, candidate: &str) -> bool {
        self.bytes().ct_eq(candidate.as_bytes()).into()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(…)")
    }
}

/// How to start a simulator. Made by [`Config::new`]; all fields may be changed afterwards.
#[derive(Clone, Debug)]
pub struct Config {
    /// The address to listen on; loopback by default, as a sandbox should.
    pub bind: IpAddr,
    /// The port to listen on; 0 (the default) takes a free one.
    pub port: u16,
    /// The SQLite file; it is created with its folder where absent. Beside it lie SQLite's `-wal`
    /// and `-shm` files and a `.lock` file, which keeps a second simulator out.
    pub database: PathBuf,
    /// The token that callers of `/v1/payments…` and `/v1/operations…` send as
    /// `Authorization: Bearer …`.
    pub bearer: Secret,
    /// The account's key for `X-Psp-Signature`; its bytes are the HMAC key as they stand.
    pub notification_key: Secret,
    /// The origin under which browsers reach the simulator, without a slash at the end, where that
    /// is not `http://<bind>:<port>` (behind a proxy). Challenge URLs begin with it.
    pub public_url: Option<String>,
    /// Host names besides `localhost`, its own address and that of `public_url` under which it
    /// answers.
    pub hosts: Vec<String>,
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
