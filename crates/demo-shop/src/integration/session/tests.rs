//! What the shop sends, stores and retrieves, against a scripted OnCharge.

use std::{
    net::TcpListener,
    sync::{Arc, Mutex},
};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use serde_json::json;

use super::*;
use crate::{
    dollars::Dollars,
    fixtures::{self, SECRET},
    integration::{actions, records::Action},
    moment::Moment,
    order::Line,
};

const TOKEN: &str = "pt_the-shoppers_own";

/// Received requests: key and body of each.
type Requests = Arc<Mutex<Vec<(String, String)>>>;

/// An OnCharge that returns the same session for every request.
fn oncharge() -> (String, Requests) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let requests = Requests::default();
    let shared = web::Data::new(Arc::clone(&requests));
    let create = async |requests: web::Data<Requests>, request: HttpRequest, body: String| {
        let key = request.headers().get("idempotency-key").unwrap();
        let key = key.to_str().unwrap();
        requests.lock().unwrap().push((key.to_owned(), body));
        HttpResponse::Created().json(json!({
            "session_id": "cs_1", "status": "created", "pay_token": TOKEN,
            "iframe_url": format!("/checkout/cs_1?token={TOKEN}"),
            "created_at": "2026-11-22T12:00:00Z", "expires_at": "2026-11-22T12:30:00Z",
        }))
    };
    let server = HttpServer::new(move || {
        App::new()
            .app_data(shared.clone())
            .route("/v1/checkout/sessions", web::post().to(create))
    });
    let server = server.workers(1).disable_signals().listen(listener);
    actix_web::rt::spawn(server.unwrap().run());
    (url, requests)
}

fn order(number: u64) -> Order {
    let line = Line {
        product: "mug".to_owned(),
        name: "Stoneware mug".to_owned(),
        price: Dollars::cents(2400),
        quantity: 2,
    };
    let mut order = Order::new(number, Moment::now(), vec![line]);
    order.email = "shopper@example.com".to_owned();
    order.start_action(Action::Checkout);
    order
}

#[actix_web::test]
async fn after_a_restart_the_checkout_url_is_recovered_and_was_never_stored() {
    let (dir, (url, requests)) = (tempfile::tempdir().unwrap(), oncharge());
    let settings = fixtures::settings(dir.path(), &url);
    let (shop, _refresh_worker) = Shop::open(settings).unwrap();
    let number = shop.order_store.add(order).await.unwrap();
    actions::execute(&shop, number).await.unwrap();
    let placed = shop.order_store.order(number).unwrap();
    let address = iframe_url(&shop, &placed).await.unwrap();
    let expected = format!("/checkout/cs_1?token={TOKEN}");
    assert_eq!(address.as_deref(), Some(expected.as_str()));
    assert_eq!(requests.lock().unwrap().len(), 1, "the session is cached");

    for file in std::fs::read_dir(dir.path()).unwrap() {
        let path = file.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        for secret in ["pt_", SECRET] {
            assert!(!text.contains(secret), "{secret} is in {}", path.display());
        }
    }
    let calls = shop.calls.for_order(number);
    assert!(calls[0].response.contains(r#""pay_token": "pt_…""#));
    let shown = format!("{}{}", calls[0].request, calls[0].response);
    assert!(!shown.contains(TOKEN) && !shown.contains(SECRET), "{shown}");

    drop(shop);
    let settings = fixtures::settings(dir.path(), &url);
    let (shop, _refresh_worker) = Shop::open(settings).unwrap();
    let kept = shop.order_store.order(number).unwrap();
    assert_eq!(kept.checkout.as_ref().unwrap().iframe_url, None);
    assert_eq!(iframe_url(&shop, &kept).await.unwrap(), address);
    let requests = requests.lock().unwrap();
    assert_eq!(requests.len(), 2);
    assert_eq!(
        requests[0], requests[1],
        "the same request under the same key"
    );
}
