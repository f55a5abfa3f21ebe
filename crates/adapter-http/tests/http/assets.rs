//! Files that shops and pages load, and the plain page at `/`.

use std::io::Read as _;

use flate2::read::GzDecoder;
use oncharge_adapter_http::Settings;

use crate::support::{TestApp, settings};

#[actix_web::test]
async fn the_script_is_served_with_an_etag() {
    let app = TestApp::start().await;
    let response = app.get("/oncharge.js").unsigned().send().await;
    assert_eq!(response.status, 200);
    assert_eq!(
        response.header("content-type"),
        Some("text/javascript; charset=utf-8")
    );
    assert!(response.text().contains("OnCharge"));
    let tag = response.header("etag").unwrap();
    for known in [tag.to_owned(), format!("\"other\", W/{tag}")] {
        let again = app
            .get("/oncharge.js")
            .unsigned()
            .set("If-None-Match", &known)
            .send()
            .await;
        assert_eq!((again.status, again.body.len()), (304, 0), "{known}");
    }
    let other = app
        .get("/oncharge.js")
        .unsigned()
        .set("If-None-Match", "\"other\"")
        .send()
        .await;
    assert_eq!(other.status, 200);
}

#[actix_web::test]
async fn only_static_content_is_compressed() {
    let app = TestApp::start().await;
    let checkout = app.created().await;
    let get = |path: &str| app.get(path).unsigned().set("Accept-Encoding", "gzip, br");
    for path in [
        "/docs",
        "/docs.css",
        "/docs.js",
        "/openapi.json",
        "/oncharge.js",
        "/tokens.css",
    ] {
        let plain = app.get(path).unsigned().send().await;
        let compressed = get(path).send().await;
        assert_eq!((plain.status, compressed.status), (200, 200), "{path}");
        assert_eq!(plain.header("content-encoding"), None, "{path}");
        assert_eq!(
            compressed.header("content-encoding"),
            Some("gzip"),
            "{path}"
        );
        for response in [&plain, &compressed] {
            assert_eq!(response.header("vary"), Some("Accept-Encoding"), "{path}");
        }
        assert_eq!(
            compressed.header("content-type"),
            plain.header("content-type"),
            "{path}"
        );
        let mut read = Vec::new();
        GzDecoder::new(&*compressed.body)
            .read_to_end(&mut read)
            .unwrap();
        assert!(
            read == plain.body,
            "{path} has another content when compressed"
        );
        assert!(compressed.body.len() * 2 < plain.body.len(), "{path}");
        let tag = compressed.header("etag").unwrap();
        assert_ne!(Some(tag), plain.header("etag"), "{path}");
        let again = get(path).set("If-None-Match", tag).send().await;
        assert_eq!((again.status, again.body.len()), (304, 0), "{path}");
    }
    // These contain tokens, or reflect parts of the request.
    let page = format!("/checkout/{}?token={}", checkout.id, checkout.token);
    for path in [page.as_str(), "/", "/v1/checkout/sessions", "/nothing"] {
        let response = get(path).send().await;
        assert_eq!(response.header("content-encoding"), None, "{path}");
    }
    let listed = app
        .get("/v1/checkout/sessions")
        .set("Accept-Encoding", "gzip");
    let listed = listed.send().await;
    assert_eq!(listed.status, 200);
    assert_eq!(listed.header("content-encoding"), None);
}

#[actix_web::test]
async fn the_root_page_links_to_docs_and_shop() {
    let shop = "http://127.0.0.1:8083".to_owned();
    let with = TestApp::with(Settings {
        shop_url: Some(shop),
        ..settings()
    })
    .await;
    let response = with.get("/").unsigned().send().await;
    assert_eq!(response.status, 200);
    assert!(response.text().contains("href=\"http://127.0.0.1:8083\""));
    assert!(response.text().contains("href=\"/docs\""));
    assert!(response.text().contains("href=\"/openapi.json\""));
    let without = TestApp::start().await.get("/").unsigned().send().await;
    assert!(!without.text().contains("Demo shop"));
}
