//! `GET /checkout/{id}?token=…`

use crate::support::TestApp;

#[actix_web::test]
async fn the_page_requires_the_pay_token() {
    let app = TestApp::start().await;
    let checkout = app.created().await;
    let target = format!("/checkout/{}?token={}", checkout.id, checkout.token);
    let response = app.get(&target).unsigned().send().await;
    assert_eq!(response.status, 200, "{response:?}");
    assert_eq!(
        response.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    assert_eq!(response.header("cache-control"), Some("no-store"));
    assert_eq!(response.header("referrer-policy"), Some("no-referrer"));
    let policy = response.header("content-security-policy").unwrap();
    assert!(
        policy.contains("frame-ancestors https://shop.example.com"),
        "{policy}"
    );
    assert!(
        policy.contains("frame-src https://psp.example.com;"),
        "{policy}"
    );
    assert!(!policy.contains("unsafe"), "{policy}");
    assert!(
        response.text().contains("Shop &#38; Söhne"),
        "the merchant's name"
    );
    assert!(
        response.text().contains("https://psp.example.com/fields\""),
        "the origin of the PSP's fields"
    );
    assert!(response.header("x-request-id").is_some());
}

#[actix_web::test]
async fn an_invalid_token_gets_an_unframeable_error_page() {
    let app = TestApp::start().await;
    let (mine, other) = (app.created().await, app.created().await);
    for query in [
        "",
        "?token=",
        "?token=x",
        "?tok=x",
        &format!("?token={}", other.token),
    ] {
        let target = format!("/checkout/{}{query}", mine.id);
        let response = app.get(&target).unsigned().send().await;
        assert_eq!(response.status, 401, "{query}");
        assert_eq!(
            response.header("content-type"),
            Some("text/html; charset=utf-8")
        );
        let policy = response.header("content-security-policy").unwrap();
        assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
        assert!(
            response
                .text()
                .contains(response.header("x-request-id").unwrap())
        );
        assert!(
            !response.text().contains("Shop"),
            "the page shows the merchant"
        );
    }
}
