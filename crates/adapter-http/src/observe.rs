//! Around every request: its id, its span and log line, and the body of its error.
//!
//! Spans and logs carry the route's template, never the target: a query string of the checkout
//! holds a pay token. Headers and bodies are never logged.

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
use oncharge_domain::id::{Id, Kind};
use tracing::{Instrument as _, field};

use crate::{Api, problem::Problem};

/// Names a request; nothing is kept under it.
enum RequestKind {}
impl Kind for RequestKind {
    const PREFIX: &'static str = "req_";
}

/// The id of a request, made here: none is taken from outside.
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
pub(crate) async fn observe<B: MessageBody + 'static>(
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
        status = field::Empty,
        code = field::Empty,
    );
    let started = Instant::now();
    let response = next.call(request).instrument(span.clone()).await?;

    let route = response.request().match_pattern();
    let route = route.as_deref().unwrap_or("unknown");
    span.record("route", route);
    span.record("status", response.status().as_u16());
    let mut response = span.in_scope(|| with_body(response, &id));
    let labels = [
        ("method", method.to_owned()),
        ("route", route.to_owned()),
        ("status", response.status().as_str().to_owned()),
    ];
    let elapsed = started.elapsed();
    metrics::counter!("oncharge_http_requests_total", &labels).increment(1);
    metrics::histogram!("oncharge_http_request_seconds", &labels).record(elapsed);
    span.in_scope(|| tracing::info!(micros = elapsed.as_micros(), "answered"));

    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::try_from(id) {
        headers.insert(HeaderName::from_static("x-request-id"), id);
    }
    if !headers.contains_key(CACHE_CONTROL) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    Ok(response)
}

/// A problem's answer with its body; any other answer as it is.
fn with_body<B>(response: ServiceResponse<B>, id: &str) -> ServiceResponse<EitherBody<B, BoxBody>> {
    let problem = response
        .response()
        .error()
        .and_then(Error::as_error::<Problem>);
    let Some(problem) = problem else {
        return response.map_into_left_body();
    };
    problem.log();
    tracing::Span::current().record("code", problem.code());
    let body = problem.body(id);
    let mut response = response.map_body(|_, _| EitherBody::right(BoxBody::new(body)));
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}

/// Methods are names from outside: only those that we know are shown.
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
