//! Checks and headers of every request to the shop: it must be addressed to this shop, no other
//! site may change anything, and the response restricts what the page may do.

use actix_web::{
    Error, HttpResponse,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    http::{
        Method,
        header::{self, HeaderMap, HeaderName, HeaderValue},
    },
    middleware::Next,
    web,
};

use crate::{Shop, integration::webhooks};

/// The Content-Security-Policy of the shop's pages: own files, the script that embeds the checkout,
/// and the checkout in a frame. No inline styles or scripts, no framing of the shop.
pub(crate) fn content_security_policy(api: &str) -> String {
    format!(
        "default-src 'none'; script-src 'self' {api}/oncharge.js; style-src 'self'; \
         img-src 'self' data:; connect-src 'self'; frame-src {api}; form-action 'self'; \
         base-uri 'none'; frame-ancestors 'none'"
    )
}

/// Checks the request and adds the response headers.
pub(crate) async fn guard(
    shop: web::Data<Shop>,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse, Error> {
    let rejection = reject(&shop.origin, &request);
    let mut response = match rejection {
        Some(rejection) => request.into_response(rejection),
        None => next.call(request).await?.map_into_boxed_body(),
    };
    let headers = response.headers_mut();
    let mut set = |name, value| headers.insert(name, HeaderValue::from_static(value));
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    // Other sites receive no referrer; the shop itself still receives an Origin to check.
    set(header::REFERRER_POLICY, "same-origin");
    set(
        HeaderName::from_static("permissions-policy"),
        "camera=(), geolocation=(), microphone=()",
    );
    set(
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    );
    if let Ok(policy) = HeaderValue::from_str(&shop.policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    Ok(response)
}

fn reject(origin: &str, request: &ServiceRequest) -> Option<HttpResponse> {
    if is_webhook(request.method(), request.path()) {
        return None;
    }
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    let host = request
        .headers()
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    if origin.strip_prefix("http://") != host {
        // Under another name (`localhost`) the shop is another origin, which the checkout would not
        // let frame it; a foreign name that resolves to this address must not reach the orders.
        let path = request
            .uri()
            .path_and_query()
            .map_or("/", |path| path.as_str());
        let canonical = format!("{origin}{path}");
        return Some(if is_read {
            HttpResponse::TemporaryRedirect()
                .insert_header((header::LOCATION, canonical))
                .finish()
        } else {
            HttpResponse::MisdirectedRequest().body("This is not the address of the shop.")
        });
    }
    let allowed = is_read || same_origin(origin, request.headers());
    (!allowed)
        .then(|| HttpResponse::Forbidden().body("Only the shop's own pages can submit this form."))
}

/// Webhooks come from a server, under any host name; they are authenticated by signature, not by
/// cookies or browser headers.
fn is_webhook(method: &Method, path: &str) -> bool {
    method == Method::POST && path == webhooks::PATH
}

/// Whether a state-changing request comes from the shop's own pages. Browsers always send the
/// origin; a program that sends none carries no cookies either.
fn same_origin(origin: &str, headers: &HeaderMap) -> bool {
    if let Some(site) = headers.get("sec-fetch-site") {
        return site == "same-origin";
    }
    headers
        .get(header::ORIGIN)
        .is_none_or(|from| from == origin)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORIGIN: &str = "http://127.0.0.1:8083";

    fn from(name: &'static str, value: &'static str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        );
        same_origin(ORIGIN, &headers)
    }

    #[test]
    fn only_posted_webhooks_skip_the_checks() {
        assert!(is_webhook(&Method::POST, "/webhooks/oncharge"));
        assert!(!is_webhook(&Method::GET, "/webhooks/oncharge"));
        for path in [
            "/",
            "/orders",
            "/orders/1001/refund",
            "/webhooks/received",
            "/webhooks/oncharge/",
            "/webhooks/oncharge/../../orders",
            "/WEBHOOKS/oncharge",
        ] {
            assert!(!is_webhook(&Method::POST, path), "{path}");
        }
    }

    #[test]
    fn cross_site_writes_are_rejected() {
        assert!(from("sec-fetch-site", "same-origin"));
        assert!(from("origin", ORIGIN));
        for site in ["same-site", "cross-site", "none"] {
            assert!(!from("sec-fetch-site", site), "{site}");
        }
        for origin in [
            "null",
            "https://evil.example",
            "http://127.0.0.1:8080",
            "http://localhost:8083",
        ] {
            assert!(!from("origin", origin), "{origin}");
        }
    }
}
