//! Middleware around every request: its id, span and log line, and the body of its error.
//!
//! Spans and logs contain the route's template and the names of query parameters, never the target:
//! a query string of the checkout contains a pay token, others personal data. Headers and bodies
//! are never logged.

use std::time::Instant;

use actix_web::{
    Error, HttpMessage, HttpRequest,
    body::{BoxBody, EitherBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{
        Method,
        header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue},
    },
    middleware::Next,
    web,
};
use oncharge_domain::id::{ApiKeyId, Id, Kind, MerchantId, SessionId};
use tracing::{Instrument as _, Span, field};

use crate::{Api, limits::address::client_ip, problem::Problem};

/// The marker type of request ids; nothing is stored under such an id.
enum RequestKind {}
impl Kind for RequestKind {
    const PREFIX: &'static str = "req_";
}

/// A request id, always generated here: none is accepted from outside.
#[derive(Clone)]
struct RequestId(String);

/// The id of this request.
pub(crate) fn request_id(request: &HttpRequest) -> String {
    request
        .extensions()
        .get::<RequestId>()
        .map(|id| id.0.clone())
        .unwrap_or_default()
}

/// The middleware.
pub(crate) async fn request_log<B: MessageBody + 'static>(
    api: web::Data<Api>,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B, BoxBody>>, Error> {
    let id: Id<RequestKind> = api.app().new_id();
    let id = id.to_string();
    request.extensions_mut().insert(RequestId(id.clone()));
    let method = method_name(request.method());
    let span = tracing::info_span!(
        "request",
        request_id = id,
        method,
        route = field::Empty,
        query = field::Empty,
        client = field::Empty,
        merchant = field::Empty,
        key = field::Empty,
        session = field::Empty,
        status = field::Empty,
        code = field::Empty,
    );
    if !span.is_disabled() {
        record_client(&span, &request, &api);
    }
    let started = Instant::now();
    let response = next.call(request).instrument(span.clone()).await?;

    let route = response.request().match_pattern();
    let route = route.as_deref().unwrap_or("unknown");
    span.record("route", route);
    span.record("status", response.status().as_u16());
    let mut response = span.in_scope(|| with_error_body(response, &id));
    let labels = [
        ("method", method.to_owned()),
        ("route", route.to_owned()),
        ("status", response.status().as_str().to_owned()),
    ];
    let elapsed = started.elapsed();
    metrics::counter!("oncharge_http_requests_total", &labels).increment(1);
    metrics::histogram!("oncharge_http_request_seconds", &labels).record(elapsed);
    let micros = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
    span.in_scope(|| tracing::info!(micros, "answered"));

    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::try_from(id) {
        headers.insert(HeaderName::from_static("x-request-id"), id);
    }
    if !headers.contains_key(CACHE_CONTROL) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    Ok(response)
}

/// Records the client and the resource, as far as the request identifies them.
fn record_client(span: &Span, request: &ServiceRequest, api: &Api) {
    let trusted = &api.settings().trusted_proxies;
    if let Some(client) = client_ip(request.head(), trusted) {
        span.record("client", field::display(client));
    }
    let names = parameter_names(request.query_string());
    if !names.is_empty() {
        span.record("query", names);
    }
    // Not from the route, which is matched later: earlier log lines would lack the session.
    let mut parts = request.path().split('/');
    if let Some(session) = parts.find_map(|part| part.parse().ok()) {
        record_session(span, session);
    }
}

/// Adds the session to the current request's log lines.
pub(crate) fn log_session(session: SessionId) {
    record_session(&Span::current(), session);
}

fn record_session(span: &Span, session: SessionId) {
    span.record("session", field::display(session));
}

/// Adds the caller to the current request's log lines; its signature may not be verified yet.
pub(crate) fn log_caller(merchant: MerchantId, key: ApiKeyId) {
    let span = Span::current();
    span.record("merchant", field::display(merchant));
    span.record("key", field::display(key));
}

/// Maximum number of query parameter names logged.
const MAX_LOGGED_NAMES: usize = 10;

/// The names of a query's parameters. Anything but a plain word may be a misplaced value and is
/// logged as `other`.
fn parameter_names(query: &str) -> String {
    let is_plain_name = |name: &str| {
        let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
        (1..=32).contains(&name.len()) && name.bytes().all(is_allowed)
    };
    let names = query.split('&').filter(|pair| !pair.is_empty());
    let names = names.map(|pair| pair.split('=').next().unwrap_or_default());
    let names = names.map(|name| if is_plain_name(name) { name } else { "other" });
    let names: Vec<_> = names.take(MAX_LOGGED_NAMES).collect();
    names.join(",")
}

/// Adds the body of a problem to its response; leaves other responses unchanged.
fn with_error_body<B>(
    response: ServiceResponse<B>,
    id: &str,
) -> ServiceResponse<EitherBody<B, BoxBody>> {
    let problem = response
        .response()
        .error()
        .and_then(Error::as_error::<Problem>);
    let Some(problem) = problem else {
        return response.map_into_left_body();
    };
    problem.log();
    Span::current().record("code", problem.code());
    let body = problem.body(id);
    let mut response = response.map_body(|_, _| EitherBody::right(BoxBody::new(body)));
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}

/// Only known methods are logged: others are arbitrary external text.
fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        Method::PATCH => "PATCH",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_parameter_names_are_logged() {
        for (query, names) in [
            ("", ""),
            ("limit=3&reference=Jane%20Doe", "limit,reference"),
            ("token", "token"),
            ("4242424242424242", "other"),
            ("jane@example.com=1&&%00=2", "other,other"),
            (&"a=1&".repeat(40), "a,a,a,a,a,a,a,a,a,a"),
        ] {
            assert_eq!(parameter_names(query), names, "{query}");
        }
    }
}
