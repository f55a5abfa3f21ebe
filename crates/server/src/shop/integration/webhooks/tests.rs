//! Webhooks as they come: good ones, repeated ones, forged ones.

use actix_web::{
    App,
    http::{Method, StatusCode},
    middleware::from_fn,
    test::{self, TestRequest},
};
use oncharge_domain::webhook::WebhookSecret;
use oncharge_ports::Clock as _;
use serde_json::{Value, json};

use super::*;
use crate::{
    shop::{
        examples::{self, ORIGIN, SIGNING_SECRET},
        guard,
        integration::{follow::Hints, session::Checkout},
        order::Order,
        routes,
    },
    system::SystemClock,
};

const OTHER_SECRET: &str = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

/// A shop that knows one order, whose session is `cs_1`. OnCharge cannot be asked.
async fn shop(dir: &std::path::Path) -> (web::Data<Shop>, u64, Hints) {
    let (shop, hints) = examples::shop(dir, "http://127.0.0.1:9");
    let order = |number| {
        let mut order = Order::new(number, Moment::now(), Vec::new());
        order.checkout = Some(Checkout {
            session_id: "cs_1".to_owned(),
            idempotency_key: "order-1".to_owned(),
            iframe_url: None,
            origin: ORIGIN.to_owned(),
        });
        order
    };
    let number = shop.book.add(order).await.unwrap();
    (shop, number, hints)
}

fn event(session_id: &str) -> Value {
    json!({
        "event": "payment.captured", "session_id": session_id, "psp_reference": "psp_1",
        "merchant_reference": "1001", "status": "captured",
        "amount": {"value": 1000, "currency": "USD"}, "metadata": {},
        "amounts": {"authorized": 1000, "captured": 1000, "refunded": 0}, "failure": null,
        "id": format!("evt_of_{session_id}"), "sequence": 2,
        "created_at": "2026-11-22T12:00:00Z",
    })
}

/// As OnCharge posts it: no cookie, no Origin, another Host perhaps.
fn posted(body: &Value, secret: &str) -> TestRequest {
    let (bytes, now) = (body.to_string(), SystemClock.now().unix_seconds());
    let id = body["id"].as_str().unwrap_or("evt_test");
    let secret: WebhookSecret = secret.parse().unwrap();
    let signature = secret.sign(id, now, bytes.as_bytes());
    TestRequest::default()
        .method(Method::POST)
        .uri(PATH)
        .insert_header(("host", "shop.internal"))
        .insert_header(("webhook-id", id))
        .insert_header(("webhook-timestamp", now.to_string()))
        .insert_header(("webhook-signature", signature))
        .set_payload(bytes)
}

async fn answer(shop: &web::Data<Shop>, request: TestRequest) -> StatusCode {
    let app = App::new()
        .app_data(shop.clone())
        .wrap(from_fn(guard::guard))
        .configure(routes);
    let service = test::init_service(app).await;
    test::call_service(&service, request.to_request())
        .await
        .status()
}

#[actix_web::test]
async fn a_webhook_is_kept_once_acknowledged_and_makes_the_shop_look() {
    let dir = tempfile::tempdir().unwrap();
    let (shop, number, mut hints) = shop(dir.path()).await;
    for times in 1..=2 {
        let request = posted(&event("cs_1"), SIGNING_SECRET);
        assert_eq!(answer(&shop, request).await, StatusCode::NO_CONTENT);
        let kept = shop.inbox.of_session("cs_1");
        assert_eq!((kept.len(), kept[0].times), (1, times));
        assert_eq!(hints.0.try_recv(), Ok(number));
    }
    let kept = shop.inbox.of_session("cs_1").remove(0);
    assert_eq!(
        (kept.event.as_str(), kept.sequence),
        ("payment.captured", 2)
    );
}

#[actix_web::test]
async fn of_a_payment_that_is_no_orders_it_is_kept_too() {
    let dir = tempfile::tempdir().unwrap();
    let (shop, _, mut hints) = shop(dir.path()).await;
    let request = posted(&event("cs_2"), SIGNING_SECRET);
    assert_eq!(answer(&shop, request).await, StatusCode::NO_CONTENT);
    assert_eq!(shop.inbox.of_session("cs_2").len(), 1);
    let test = posted(
        &json!({ "event": "endpoint.test", "id": "evt_t" }),
        SIGNING_SECRET,
    );
    assert_eq!(answer(&shop, test).await, StatusCode::NO_CONTENT);
    assert!(hints.0.try_recv().is_err(), "there is nothing to look at");
}

#[actix_web::test]
async fn what_does_not_verify_leaves_no_trace() {
    let dir = tempfile::tempdir().unwrap();
    let (shop, _, mut hints) = shop(dir.path()).await;
    let unsigned = TestRequest::post()
        .uri(PATH)
        .set_payload(event("cs_1").to_string());
    let changed = posted(&event("cs_1"), SIGNING_SECRET).set_payload(event("cs_2").to_string());
    let unreadable = posted(&json!({ "event": "payment.captured" }), SIGNING_SECRET);
    for (request, status) in [
        (unsigned, StatusCode::UNAUTHORIZED),
        (
            posted(&event("cs_1"), OTHER_SECRET),
            StatusCode::UNAUTHORIZED,
        ),
        (changed, StatusCode::UNAUTHORIZED),
        (unreadable, StatusCode::BAD_REQUEST),
    ] {
        assert_eq!(answer(&shop, request).await, status);
    }
    for session in ["cs_1", "cs_2"] {
        assert!(shop.inbox.of_session(session).is_empty(), "{session}");
    }
    assert!(hints.0.try_recv().is_err());
}

#[actix_web::test]
async fn the_guard_lets_nothing_else_through() {
    let dir = tempfile::tempdir().unwrap();
    let (shop, ..) = shop(dir.path()).await;
    let foreign = posted(&event("cs_1"), SIGNING_SECRET).uri("/orders");
    assert_eq!(
        answer(&shop, foreign).await,
        StatusCode::MISDIRECTED_REQUEST
    );
    let list = TestRequest::get()
        .uri("/webhooks/received?session_id=cs_1")
        .insert_header(("host", "evil.example"));
    assert_eq!(answer(&shop, list).await, StatusCode::TEMPORARY_REDIRECT);
}
