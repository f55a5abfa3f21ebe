//! Files that shops and pages load, and the plain page at `/`.

use oncharge_adapter_http::Settings;

use crate::support::{TestApp, settings};

#[actix_web::test]
async fn the_script_is_served_and_not_sent_twice() {
    let app = TestApp::start().await;
    let answer = app.get("/oncharge.js").unsigned().send().await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.header("content-type"),
        Some("text/javascript; charset=utf-8")
    );
    assert!(answer.text().contains("OnCharge"));
    let tag = answer.header("etag").unwrap();
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
async fn the_root_links_to_what_there_is() {
    let shop = "http://127.0.0.1:8083".to_owned();
    let with = TestApp::with(Settings {
        shop_url: Some(shop),
        ..settings()
    })
    .await;
    let answer = with.get("/").unsigned().send().await;
    assert_eq!(answer.status, 200);
    assert!(answer.text().contains("href=\"http://127.0.0.1:8083\""));
    assert!(answer.text().contains("href=\"/docs\""));
    assert!(answer.text().contains("href=\"/openapi.json\""));
    let without = TestApp::start().await.get("/").unsigned().send().await;
    assert!(!without.text().contains("demo shop"));
}
