//! Access control and security headers of the operators' view.
//!
//! The view has no password, since access to the port is restricted. So a request must address the
//! server by an IP address, as `localhost`, or by a configured name (see [`AllowedHosts`]).

use actix_web::{
    Error, HttpResponse,
    body::{BoxBody, EitherBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{
        Method,
        header::{ALLOW, HeaderName, HeaderValue},
    },
    middleware::Next,
    web,
};
use oncharge_http_server::AllowedHosts;

/// The response to a request for an unknown host.
const UNKNOWN_HOST: &str = "Unknown host. Use localhost, the address that the operators' port is bound to, or a name in \
     the setting network.ops_hosts, such as ONCHARGE__NETWORK__OPS_HOSTS=ops.example.com\n";

/// CSP: own stylesheet and forms only.
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

/// Middleware of the view: read-only methods, an allowed host, and strict headers on every
/// response.
pub(crate) async fn view_guard<B: MessageBody + 'static>(
    hosts: web::Data<AllowedHosts>,
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

/// Middleware of health and metrics: on a loopback port they accept the view's hosts only.
/// Elsewhere they accept any, because probes and scrapers use many names.
pub(crate) async fn probe_guard<B: MessageBody + 'static>(
    hosts: web::Data<AllowedHosts>,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B, BoxBody>>, Error> {
    let is_allowed = hosts.allows_request(request.headers(), request.uri());
    if hosts.is_loopback_only() && !is_allowed {
        return Ok(request.into_response(unknown_host()).map_into_right_body());
    }
    Ok(next.call(request).await?.map_into_left_body())
}

fn unknown_host() -> HttpResponse {
    HttpResponse::MisdirectedRequest().body(UNKNOWN_HOST)
}

fn refusal(hosts: &AllowedHosts, request: &ServiceRequest) -> Option<HttpResponse> {
    if !hosts.allows_request(request.headers(), request.uri()) {
        return Some(unknown_host());
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut response = HttpResponse::MethodNotAllowed();
        response.insert_header((ALLOW, "GET, HEAD"));
        return Some(response.body("This view is read-only.\n"));
    }
    None
}
