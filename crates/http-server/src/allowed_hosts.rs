//! Decides by `Host` and `Origin` which requests a local HTTP server accepts.
//!
//! A server without a password is protected only by its address: loopback, or the operators'
//! network. A web page in a browser on such a machine can still reach it: under a host name that
//! the page's owner resolves to the server's address (DNS rebinding), or by a cross-origin request.
//! A request must therefore address the server by IP address, `localhost` or a configured name, and
//! must not come from a page of another origin.

use std::{net::IpAddr, sync::Arc};

use actix_web::http::{
    Uri,
    header::{HOST, HeaderMap, ORIGIN},
};

/// The addresses and names under which a server accepts requests.
#[derive(Clone, Debug)]
pub struct AllowedHosts {
    bind_address: IpAddr,
    names: Arc<[String]>,
}

impl AllowedHosts {
    /// The hosts of a server bound to this address, with these additional names.
    pub fn new(bind_address: IpAddr, names: &[String]) -> Self {
        let names = names.into();
        Self {
            bind_address,
            names,
        }
    }

    /// Whether only processes on this machine can reach the server.
    pub fn is_loopback_only(&self) -> bool {
        self.bind_address.is_loopback()
    }

    /// Whether a request addresses this server: by exactly one `Host`, and, if its target has a
    /// host, by that one, which then takes precedence.
    pub fn allows_request(&self, headers: &HeaderMap, target: &Uri) -> bool {
        let target_is_allowed = target.host().is_none_or(|host| self.allows(host));
        target_is_allowed && single_host(headers).is_some_and(|host| self.allows(host))
    }

    /// Whether a `Host` is a configured name, loopback or the bound address; if that is unspecified
    /// (all addresses of the machine), any IP address is accepted. Ports are ignored, because a
    /// tunnel may start at another port.
    fn allows(&self, host: &str) -> bool {
        let name = without_port(host);
        let is_name = |allowed: &str| name.eq_ignore_ascii_case(allowed);
        if is_name("localhost") || self.names.iter().any(|allowed| is_name(allowed)) {
            return true;
        }
        let stripped = name
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'));
        let address: Option<IpAddr> = stripped.unwrap_or(name).parse().ok();
        address.is_some_and(|address| {
            address.is_loopback()
                || self.bind_address.is_unspecified()
                || address == self.bind_address
        })
    }
}

/// Whether a request comes from a page of another origin. Browsers send the page's origin; other
/// programs send none. The scheme may differ, because a proxy may terminate TLS.
pub fn is_cross_origin(headers: &HeaderMap) -> bool {
    let mut origins = headers.get_all(ORIGIN);
    let Some(origin) = origins.next() else {
        return false;
    };
    let authority = origin.to_str().ok().and_then(|origin| {
        let stripped = origin.strip_prefix("http://");
        stripped.or_else(|| origin.strip_prefix("https://"))
    });
    let is_same_origin = authority.is_some() && authority == single_host(headers);
    !is_same_origin || origins.next().is_some()
}

fn single_host(headers: &HeaderMap) -> Option<&str> {
    let mut hosts = headers.get_all(HOST);
    let only = hosts.next().filter(|_| hosts.next().is_none())?;
    only.to_str().ok()
}

/// The host without its port; an IPv6 address keeps its brackets.
fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port))
            if port.bytes().all(|b| b.is_ascii_digit())
                && (!name.contains(':') || name.ends_with(']')) =>
        {
            name
        }
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};

    use super::*;

    #[test]
    fn only_own_addresses_are_allowed() {
        let at = |bind_address: &str| AllowedHosts::new(bind_address.parse().unwrap(), &[]);
        let (loopback, private, unspecified) = (at("127.0.0.1"), at("10.1.2.3"), at("0.0.0.0"));
        for host in [
            "127.0.0.1",
            "127.0.0.1:8082",
            "localhost:1",
            "LOCALHOST",
            "[::1]",
            "[::1]:8082",
            "127.9.9.9:80",
        ] {
            for hosts in [&loopback, &private, &unspecified] {
                assert!(hosts.allows(host), "{host} at {hosts:?}");
            }
        }
        for host in [
            "",
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example:8082",
            "evil.example:127.0.0.1",
            "localhost@evil.example",
            "localhost:80:90",
            "[::1",
            "2130706433",
            "0x7f.1",
            "metadata.localhost",
        ] {
            for hosts in [&loopback, &private, &unspecified] {
                assert!(!hosts.allows(host), "{host} at {hosts:?}");
            }
        }
        assert!(private.allows("10.1.2.3:8082") && !private.allows("10.1.2.4"));
        assert!(unspecified.allows("10.1.2.4:9") && !loopback.allows("10.1.2.4:9"));
    }

    #[test]
    fn configured_names_are_allowed_exactly() {
        let names = ["ops.example.com".to_owned(), "ops".to_owned()];
        let hosts = AllowedHosts::new("127.0.0.1".parse().unwrap(), &names);
        for host in ["ops.example.com", "OPS.example.com:8443", "ops", "ops:80"] {
            assert!(hosts.allows(host), "{host}");
        }
        for host in [
            "example.com",
            "evil.ops.example.com",
            "ops.example.com.evil.example",
            "ops.example.com@evil.example",
            "ops.example.co",
            "10.0.0.1",
        ] {
            assert!(!hosts.allows(host), "{host}");
        }
    }

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            );
        }
        headers
    }

    #[test]
    fn a_request_needs_exactly_one_allowed_host() {
        let hosts = AllowedHosts::new("127.0.0.1".parse().unwrap(), &[]);
        let allows = |pairs: &[_], target: &str| {
            hosts.allows_request(&headers(pairs), &target.parse().unwrap())
        };
        assert!(allows(&[("host", "localhost:1")], "/"));
        assert!(!allows(&[], "/"));
        assert!(!allows(
            &[("host", "localhost"), ("host", "localhost")],
            "/"
        ));
        assert!(!allows(&[("host", "evil.example")], "/"));
        assert!(!allows(&[("host", "localhost")], "http://evil.example/"));
        assert!(allows(&[("host", "localhost")], "http://127.0.0.1/"));
    }

    #[test]
    fn cross_origin_requests_are_detected() {
        let cross_origin = |origin| {
            let pairs = [("host", "127.0.0.1:8081"), ("origin", origin)];
            is_cross_origin(&headers(&pairs))
        };
        assert!(!cross_origin("http://127.0.0.1:8081"));
        assert!(!cross_origin("https://127.0.0.1:8081"));
        for origin in [
            "null",
            "",
            "http://127.0.0.1:8080",
            "http://127.0.0.1",
            "http://localhost:8081",
            "https://evil.example",
            "file://127.0.0.1:8081",
        ] {
            assert!(cross_origin(origin), "{origin}");
        }
        assert!(!is_cross_origin(&headers(&[("host", "127.0.0.1:8081")])));
    }
}
