//! The address whose failures are counted: the peer's, or the one reported by trusted proxies.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use actix_web::{dev::RequestHead, http::header::HeaderMap};
use ipnet::IpNet;

/// A key for counting failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Address {
    /// A single IPv4 address.
    V4(Ipv4Addr),
    /// An IPv6 /64 network: the upper 64 bits. A client with one of its addresses has all of them.
    V6Net(u64),
    /// Shared by requests without an address and those for which the table has no room.
    Shared,
}

impl From<IpAddr> for Address {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                let join = |upper: u64, lower: u16| (upper << 16) | u64::from(lower);
                Self::V6Net([a, b, c, d].into_iter().fold(0, join))
            }
        }
    }
}

impl Address {
    /// Whether the request seems to come through a proxy that is not in `trusted`: its peer address
    /// is private and its headers name another one. All such clients count as one address.
    pub(crate) fn is_behind_unlisted_proxy(head: &RequestHead, trusted: &[IpNet]) -> bool {
        let is_private = |peer: IpAddr| match peer.to_canonical() {
            IpAddr::V4(peer) => peer.is_private() || peer.is_loopback(),
            IpAddr::V6(peer) => peer.is_unique_local() || peer.is_loopback(),
        };
        let names_another = || {
            let headers = head.headers();
            headers.contains_key("x-forwarded-for") || headers.contains_key("forwarded")
        };
        let peer = head.peer_addr.map(|peer| peer.ip());
        trusted.is_empty() && peer.is_some_and(is_private) && names_another()
    }

    /// The address, or the first address of the network.
    pub(crate) fn network(self) -> Option<IpAddr> {
        match self {
            Self::V4(address) => Some(address.into()),
            Self::V6Net(upper) => Some(Ipv6Addr::from(u128::from(upper) << 64).into()),
            Self::Shared => None,
        }
    }

    /// The sender of this request.
    pub(crate) fn of(head: &RequestHead, trusted: &[IpNet]) -> Self {
        client_ip(head, trusted).map_or(Self::Shared, Self::from)
    }
}

/// The client's address: the peer's, or the one reported by trusted proxies.
pub(crate) fn client_ip(head: &RequestHead, trusted: &[IpNet]) -> Option<IpAddr> {
    let peer = head.peer_addr?;
    Some(resolve_client(peer.ip(), head.headers(), trusted))
}

/// The right-most address of the forwarding chain that is not a trusted proxy.
///
/// If `Forwarded` and `X-Forwarded-For` differ, the client may have set one of them: then the
/// peer's address is used.
fn resolve_client(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let peer = peer.to_canonical();
    let is_trusted = |address: &IpAddr| trusted.iter().any(|net| net.contains(address));
    if !is_trusted(&peer) {
        return peer;
    }
    let walk = |hops: Vec<Option<IpAddr>>| {
        let mut last = peer;
        for hop in hops.into_iter().rev() {
            // An unreadable hop was added by the last trusted proxy: count that one.
            let Some(hop) = hop else { return last };
            last = hop;
            if !is_trusted(&hop) {
                return last;
            }
        }
        last
    };
    let by = |name: &str, read: fn(&str) -> Option<IpAddr>| {
        headers
            .contains_key(name)
            .then(|| walk(hops(headers, name, read)))
    };
    match (
        by("forwarded", forwarded_for),
        by("x-forwarded-for", parse_address),
    ) {
        (Some(one), Some(other)) if one != other => peer,
        (Some(one), _) | (None, Some(one)) => one,
        (None, None) => peer,
    }
}

fn hops(headers: &HeaderMap, name: &str, read: fn(&str) -> Option<IpAddr>) -> Vec<Option<IpAddr>> {
    headers
        .get_all(name)
        .flat_map(|value| value.to_str().unwrap_or_default().split(','))
        .map(|entry| read(entry.trim()))
        .collect()
}

/// `for=…` of one element of `Forwarded` (RFC 7239).
fn forwarded_for(element: &str) -> Option<IpAddr> {
    let value = element.split(';').find_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        name.eq_ignore_ascii_case("for").then_some(value)
    })?;
    parse_address(value.trim_matches('"'))
}

/// Parses an address with or without port, IPv6 with or without brackets.
fn parse_address(text: &str) -> Option<IpAddr> {
    let address = text.parse().ok().or_else(|| {
        if let Some(rest) = text.strip_prefix('[') {
            return rest.split_once(']')?.0.parse().ok();
        }
        text.rsplit_once(':')?.0.parse().ok()
    });
    address.map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};

    use super::*;

    #[track_caller]
    fn check(headers: &[(&'static str, &'static str)], expected: &str) {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            );
        }
        let trusted = ["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()];
        let found = resolve_client("10.0.0.1".parse().unwrap(), &map, &trusted);
        assert_eq!(found, expected.parse::<IpAddr>().unwrap(), "{headers:?}");
    }

    #[test]
    fn the_rightmost_untrusted_hop_is_the_client() {
        check(&[], "10.0.0.1");
        check(&[("x-forwarded-for", "192.0.2.1")], "192.0.2.1");
        check(
            &[("x-forwarded-for", "198.51.100.9, 192.0.2.1, 10.0.0.7")],
            "192.0.2.1",
        );
        check(
            &[
                ("x-forwarded-for", "198.51.100.9"),
                ("x-forwarded-for", "192.0.2.1"),
            ],
            "192.0.2.1",
        );
        check(&[("x-forwarded-for", "10.0.0.9, 10.0.0.8")], "10.0.0.9");
        check(
            &[("x-forwarded-for", "192.0.2.1, nonsense, 10.0.0.8")],
            "10.0.0.8",
        );
        check(&[("x-forwarded-for", "192.0.2.1:4711")], "192.0.2.1");
        check(
            &[("forwarded", "for=192.0.2.1;proto=https, for=10.0.0.7")],
            "192.0.2.1",
        );
        check(
            &[("forwarded", "For=\"[2001:db8::1]:4711\"")],
            "2001:db8::1",
        );
        check(&[("forwarded", "for=192.0.2.1, for=_hidden")], "10.0.0.1");
    }

    #[test]
    fn conflicting_headers_are_ignored() {
        check(
            &[
                ("forwarded", "for=192.0.2.1"),
                ("x-forwarded-for", "192.0.2.2"),
            ],
            "10.0.0.1",
        );
        check(
            &[
                ("forwarded", "for=192.0.2.1"),
                ("x-forwarded-for", "192.0.2.1"),
            ],
            "192.0.2.1",
        );
    }

    #[test]
    fn untrusted_peers_cannot_forward() {
        let mut map = HeaderMap::new();
        map.append(
            HeaderName::from_static("x-forwarded-for"),
            HeaderValue::from_static("198.51.100.9"),
        );
        let peer = "192.0.2.1".parse().unwrap();
        assert_eq!(resolve_client(peer, &map, &[]), peer);
    }

    #[test]
    fn ipv6_addresses_share_their_network() {
        let of = |text: &str| Address::from(text.parse::<IpAddr>().unwrap());
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff::9"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
    }
}
