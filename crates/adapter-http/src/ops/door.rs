//! The door of the operators' view: who may come in, and what every answer says to the browser.
//!
//! The view has no password, since only who can reach the port gets there. A browser of such a
//! person could be made to reach it by a page from elsewhere: a name that the page's owner suddenly
//! resolves to our address (DNS rebinding). So a request must name us by an address, as `localhost`,
//! which nobody else's name can be, or by a name that the operators have set.

use std::{net::IpAddr, sync::Arc};

use actix_web::{
    Error, HttpResponse,
    body::{BoxBody, EitherBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{
        Method,
        header::{ALLOW, HOST, HeaderName, HeaderValue},
    },
    middleware::Next,
    web,
};

/// By which addresses and names a request may call us.
#[derive(Clone, Debug)]
pub(crate) struct Hosts {
    bound: IpAddr,
    names: Arc<[String]>,
}

impl Hosts {
    /// Of a server that is bound to this address and has these names besides.
    pub(crate) fn new(bound: IpAddr, names: &[String]) -> Self {
        let names = names.into();
        Self { bound, names }
    }

    /// Whether a `Host` is a name of ours, loopback or the bound address; where that is every address
    /// of the machine, any address will do. Ports do not matter: a tunnel may begin at another.
    fn admit(&self, host: &str) -> bool {
        let name = without_port(host);
        let is_name = |ours: &str| name.eq_ignore_ascii_case(ours);
        if is_name("localhost") || self.names.iter().any(|ours| is_name(ours)) {
            return true;
        }
        let bare = name
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'));
        let address: Option<IpAddr> = bare.unwrap_or(name).parse().ok();
        address.is_some_and(|address| {
            address.is_loopback() || self.bound.is_unspecified() || address == self.bound
        })
    }
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

/// The answer to a request under another name: what to do about it.
const NOT_OURS: &str = "This is not a name of the operators' view. It answers as localhost, by the \
     address that it is bound to, and by the names in the setting network.ops_hosts, such as \
     ONCHARGE__NETWORK__OPS_HOSTS=ops.example.com\n";

/// All that a page of ours may load is our own style sheet, and all it may do is to ask us again.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; \
     form-action 'self'; frame-ancestors 'none'";

const HEADERS: [(&str, &str); 8] = [
    ("content-security-policy", POLICY),
    ("x-frame-options", "DENY"),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("cache-control", "no-store"),
    ("x-robots-tag", "noindex"),
];

/// The middleware: reading alone, under our own name alone, and strict headers on every answer.
pub(crate) async fn door<B: MessageBody + 'static>(
    hosts: web::Data<Hosts>,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B, BoxBody>>, Error> {
    let mut response = match refusal(&hosts, &request) {
        Some(refusal) => request.into_response(refusal).map_into_right_body(),
        None => next.call(request).await?.map_into_left_body(),
    };
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        );
    }
    Ok(response)
}

fn refusal(hosts: &Hosts, request: &ServiceRequest) -> Option<HttpResponse> {
    let mut named = request.headers().get_all(HOST);
    let host = named.next().and_then(|value| value.to_str().ok());
    let is_ours = named.next().is_none() && host.is_some_and(|host| hosts.admit(host));
    // A target may name a host, too, and then it is the one that counts.
    let target = request.uri().host();
    if !is_ours || target.is_some_and(|host| !hosts.admit(host)) {
        return Some(HttpResponse::MisdirectedRequest().body(NOT_OURS));
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut answer = HttpResponse::MethodNotAllowed();
        answer.insert_header((ALLOW, "GET, HEAD"));
        return Some(answer.body("This view is for reading alone.\n"));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_address_is_let_in() {
        let at = |bound: &str| Hosts::new(bound.parse().unwrap(), &[]);
        let (loopback, private, every) = (at("127.0.0.1"), at("10.1.2.3"), at("0.0.0.0"));
        for host in [
            "127.0.0.1",
            "127.0.0.1:8082",
            "localhost:1",
            "LOCALHOST",
            "[::1]",
            "[::1]:8082",
            "127.9.9.9:80",
        ] {
            for hosts in [&loopback, &private, &every] {
                assert!(hosts.admit(host), "{host} at {hosts:?}");
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
            for hosts in [&loopback, &private, &every] {
                assert!(!hosts.admit(host), "{host} at {hosts:?}");
            }
        }
        assert!(private.admit("10.1.2.3:8082") && !private.admit("10.1.2.4"));
        assert!(every.admit("10.1.2.4:9") && !loopback.admit("10.1.2.4:9"));
    }

    #[test]
    fn a_name_that_was_set_is_let_in_and_none_like_it() {
        let names = ["ops.example.com".to_owned(), "ops".to_owned()];
        let hosts = Hosts::new("127.0.0.1".parse().unwrap(), &names);
        for host in ["ops.example.com", "OPS.example.com:8443", "ops", "ops:80"] {
            assert!(hosts.admit(host), "{host}");
        }
        for host in [
            "example.com",
            "evil.ops.example.com",
            "ops.example.com.evil.example",
            "ops.example.com@evil.example",
            "ops.example.co",
            "10.0.0.1",
        ] {
            assert!(!hosts.admit(host), "{host}");
        }
    }
}
