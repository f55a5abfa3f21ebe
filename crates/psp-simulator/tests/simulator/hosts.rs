//! Allowed hosts and origins: requests to another host or from another origin are refused.

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::sandbox::Sandbox;

/// All paths, with and without a bearer token.
const PATHS: [(&str, &str); 9] = [
    ("GET", "/"),
    (
        "GET",
        "/fields?session=cs_1&parent_origin=http://localhost:8080",
    ),
    ("GET", "/assets/pages.css"),
    ("GET", "/challenge/ch_1"),
    ("POST", "/v1/tokens"),
    ("GET", "/v1/ledger?reference=cs_1"),
    ("PUT", "/v1/faults"),
    ("POST", "/v1/payments"),
    ("GET", "/v1/operations/op_1"),
];

#[tokio::test(flavor = "multi_thread")]
async fn unknown_hosts_are_refused_on_every_route() {
    let sandbox = Sandbox::start().await;
    for (method, path) in PATHS {
        let method: Method = method.parse().unwrap();
        let request = sandbox.request(method, path);
        let response = request.header("Host", "evil.example:8081").send().await;
        let status = response.unwrap().status();
        assert_eq!(status, StatusCode::MISDIRECTED_REQUEST, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cross_origin_requests_are_refused_on_every_route() {
    let sandbox = Sandbox::start().await;
    for (method, path) in PATHS {
        for origin in ["https://evil.example", "null", "http://127.0.0.1:8080"] {
            let method: Method = method.parse().unwrap();
            let request = sandbox.request(method, path).header("Origin", origin);
            let status = request.send().await.unwrap().status();
            assert_eq!(status, StatusCode::FORBIDDEN, "{path} from {origin}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn same_origin_requests_are_allowed() {
    let sandbox = Sandbox::start().await;
    let own = sandbox.url("");
    let card =
        json!({"number": "4242424242424242", "exp_month": 12, "exp_year": 2050, "cvc": "123"});
    let request = sandbox.request(Method::POST, "/v1/tokens");
    let response = request.header("Origin", &own).json(&card).send().await;
    assert_eq!(response.unwrap().status(), StatusCode::CREATED);
    let page = sandbox.request(Method::GET, "/").send().await.unwrap();
    // Under `no-referrer`, browsers send no origin with a form.
    assert_eq!(page.headers()["referrer-policy"], "same-origin");
}
