//! `GET /checkout/{id}?token=…`

use crate::support::TestApp;

#[actix_web::test]
async fn the_page_is_served_to_the_bearer_of_the_token() {
    let app = TestApp::start().await;
    let checkout = app.created().await;
    let target = format!("/checkout/{}?token={}", checkout.id, checkout.token);
    let answer = app.get(&target).unsigned().send().await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(
        answer.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
    let policy = answer.header("content-security-policy").unwrap();
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
        answer.text().contains("Shop &#38; Söhne"),
        "the merchant's name"
    );
    assert!(
        answer.text().contains("https://psp.example.com/fields\""),
        "where the fields are"
    );
    assert!(answer.header("x-request-id").is_some());
}

#[actix_web::test]
async fn without_a_good_token_there_is_a_plain_page_that_nobody_may_frame() {
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
        let answer = app.get(&target).unsigned().send().await;
        assert_eq!(answer.status, 401, "{query}");
        assert_eq!(
            answer.header("content-type"),
            Some("text/html; charset=utf-8")
        );
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
        assert!(
            answer
                .text()
                .contains(answer.header("x-request-id").unwrap())
        );
        assert!(!answer.text().contains("Shop"), "nothing of the session");
    }
}
