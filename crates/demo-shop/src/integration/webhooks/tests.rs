//! Webhook deliveries: valid, repeated and forged ones.

use actix_web::{
    App,
    http::{Method, StatusCode},
    middleware::from_fn,
    test::{self, TestRequest},
};
use oncharge_domain::webhook::WebhookSecret;
use serde_json::{Value, json};

use super::*;
use crate::{
    fixtures::{self, ORIGIN, SIGNING_SECRET},
    guard,
    integration::{records::Checkout, refresh::RefreshWorker},
    order::Order,
    routes,
};

const OTHER_SECRET: &str = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

/// A shop with one order, whose session is `cs_1`. OnCharge is unreachable.
async fn shop(dir: &std::path::Path) -> (web::Data<Shop>, u64, RefreshWorker) {
    let settings = fixtures::settings(dir, "http://127.0.0.1:9");
    let (shop, refresh_worker) = Shop::open(settings).unwrap();
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
    let number = shop.order_store.add(order).await.unwrap();
    (web::Data::new(shop), number, refresh_worker)
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

/// A request as OnCharge sends it: no cookie, no Origin, possibly another Host.
fn signed_request(body: &Value, secret: &str) -> TestRequest {
    let (bytes, now) = (body.to_string(), Moment::now().unix_seconds());
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

async fn status_of(shop: &web::Data<Shop>, request: TestRequest) -> StatusCode {
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
async fn a_webhook_is_stored_once_and_triggers_a_refresh() {
    let dir = tempfile::tempdir().unwrap();
    let (shop, number, mut refresh_worker) = shop(dir.path()).await;
    for times in 1..=2 {
        let request = signed_request(&event("cs_1"), SIGNING_SECRET);
        assert_eq!(status_of(&shop, request).await, StatusCode::NO_CONTENT);
        let stored = shop.inbox.of_session("cs_1");
        assert_eq!((stored.len(), stored[0].times), (1, times));
        assert_eq!(refresh_worker.0.try_recv(), Ok(number));
    }
    let stored = shop.inbox.of_session("cs_1").remove(0);
    assert_eq!(
        (stored.event.as_str(), stored.sequence),
        ("payment.captured", 2)
    );
}

#[actix_web::test]
async fn webhooks_without_an_order_are_stored_too() {
    let dir = tempfile::tempdir().unwrap();
    let (shop, _, mut refresh_worker) = shop(dir.path()).await;
    let request = signed_request(&event("cs_2"), SIGNING_SECRET);
    assert_eq!(status_of(&shop, request).await, StatusCode::NO_CONTENT);
    assert_eq!(shop.inbox.of_session("cs_2").len(), 1);
    let test = signed_request(
        &json!({ "event": "endpoint.test", "id": "evt_t" }),
        SIGNING_SECRET,
    );
    assert_eq!(status_of(&shop, test).await, StatusCode::NO_CONTENT);
    assert!(
        refresh_worker.0.try_recv().is_err(),
        "there is no order to retrieve"
    );
}

#[actix_web::test]
async fn unverified_webhooks_are_discarded() {
    let dir = tempfile::tempdir().unwrap();
    let (shop, _, mut refresh_worker) = shop(dir.path()).await;
    let unsigned = TestRequest::post()
        .uri(PATH)
        .set_payload(event("cs_1").to_string());
    let changed =
        signed_request(&event("cs_1"), SIGNING_SECRET).set_payload(event("cs_2").to_string());
    let unreadable = signed_request(&json!({ "event": "payment.captured" }), SIGNING_SECRET);
    for (request, status) in [
        (unsigned, StatusCode::UNAUTHORIZED),
        (
            signed_request(&event("cs_1"), OTHER_SECRET),
            StatusCode::UNAUTHORIZED,
        ),
        (changed, StatusCode::UNAUTHORIZED),
        (unreadable, StatusCode::BAD_REQUEST),
    ] {
        assert_eq!(status_of(&shop, request).await, status);
    }
    for session in ["cs_1", "cs_2"] {
        assert!(shop.inbox.of_session(session).is_empty(), "{session}");
    }
    assert!(refresh_worker.0.try_recv().is_err());
}

#[actix_web::test]
async fn the_guard_blocks_other_requests() {
    let dir = tempfile::tempdir().unwrap();
    let (shop, ..) = shop(dir.path()).await;
    let foreign = signed_request(&event("cs_1"), SIGNING_SECRET).uri("/orders");
    assert_eq!(
        status_of(&shop, foreign).await,
        StatusCode::MISDIRECTED_REQUEST
    );
    let list = TestRequest::get()
        .uri("/webhooks/received?session_id=cs_1")
        .insert_header(("host", "evil.example"));
    assert_eq!(status_of(&shop, list).await, StatusCode::TEMPORARY_REDIRECT);
}
