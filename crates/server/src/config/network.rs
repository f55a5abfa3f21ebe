//! Listen addresses, trusted proxies and rate limits.

use std::net::IpAddr;

use anyhow::bail;
use serde::{Deserialize, Serialize};

use super::{Mode, values};

/// Addresses and proxies.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Network {
    /// The address of the API and the checkout.
    #[serde(deserialize_with = "values::ip_address")]
    pub(crate) bind: IpAddr,
    /// Their port.
    pub(crate) port: u16,
    /// The address of health, metrics and the operators' view.
    #[serde(deserialize_with = "values::ip_address")]
    pub(crate) ops_bind: IpAddr,
    /// Their port.
    pub(crate) ops_port: u16,
    /// Host names besides `localhost` accepted by the operators' view.
    pub(crate) ops_hosts: Vec<String>,
    /// Proxies whose forwarding headers are trusted.
    pub(crate) trusted_proxies: Vec<String>,
    /// Whether shoppers reach the server over TLS.
    pub(crate) behind_tls: bool,
}

/// Rate limits, in requests per second.
#[derive(Debug, Clone, Copy, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Limits {
    /// Rate of each API key.
    pub(crate) key_per_second: u32,
    /// Its burst.
    pub(crate) key_burst: u32,
    /// Rate of failed authentications of each address.
    pub(crate) address_per_second: u32,
    /// Its burst.
    pub(crate) address_burst: u32,
    /// Maximum number of connections per address.
    pub(crate) address_connections: u32,
}

impl Network {
    pub(super) fn check(&self, mode: Mode) -> anyhow::Result<()> {
        if mode == Mode::Sandbox && !self.bind.is_loopback() {
            bail!("network.bind must be a loopback address with mode = \"sandbox\"");
        }
        if mode == Mode::Sandbox && !self.ops_bind.is_loopback() {
            bail!("network.ops_bind must be a loopback address with mode = \"sandbox\"");
        }
        for proxy in &self.trusted_proxies {
            let address = proxy
                .split_once('/')
                .map_or(proxy.as_str(), |(address, _)| address);
            if address.parse::<IpAddr>().is_err() {
                bail!(
                    "network.trusted_proxies: each entry must be an IP address or a network in \
                     CIDR form"
                );
            }
        }
        if !self.ops_hosts.iter().all(|name| is_host_name(name)) {
            bail!(
                "network.ops_hosts: each entry must be a host name, without scheme, port or \
                 wildcard"
            );
        }
        Ok(())
    }
}

/// Host names on private networks may contain underscores.
fn is_host_name(text: &str) -> bool {
    let is_label = |label: &str| {
        let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        (1..=63).contains(&label.len()) && label.chars().all(known)
    };
    text.len() <= 253 && text.split('.').all(is_label)
}

impl Limits {
    pub(super) fn check(self) -> anyhow::Result<()> {
        let all = [
            ("key_per_second", self.key_per_second),
            ("key_burst", self.key_burst),
            ("address_per_second", self.address_per_second),
            ("address_burst", self.address_burst),
            ("address_connections", self.address_connections),
        ];
        match all.iter().find(|(_, value)| *value == 0) {
            Some((name, _)) => bail!("limits.{name} must be at least 1"),
            None => Ok(()),
        }
    }
}
