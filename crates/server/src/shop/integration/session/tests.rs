//! What the shop sends, keeps, and gets back, against an OnCharge that answers from a script.

use std::{
    net::TcpListener,
    sync::{Arc, Mutex},
};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use serde_json::json;

use super::*;
use crate::shop::{
    dollars::Dollars,
    examples::{self, SECRET},
    integration::acts::{self, Act},
    moment::Moment,
    order::Line,
};

const TOKEN: &str = "pt_the-shoppers_own";

/// What came in: the key and the body of each request.
type Seen = Arc<Mutex<Vec<(String, String)>>>;

/// An OnCharge that makes the same session whenever it is asked to.
fn oncharge() -> (String, Seen) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let seen = Seen::default();
    let shared = web::Data::new(Arc::clone(&seen));
    let create = async |seen: web::Data<Seen>, request: HttpRequest, body: String| {
        let key = request.headers().get("idempotency-key").unwrap();
        let key = key.to_str().unwrap();
        seen.lock().unwrap().push((key.to_owned(), body));
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
    (url, seen)
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
    order.intend(Act::Checkout);
    order
}

#[actix_web::test]
async fn after_a_restart_the_checkout_comes_back_and_no_file_has_held_it() {
    let (dir, (url, seen)) = (tempfile::tempdir().unwrap(), oncharge());
    let (shop, _hints) = examples::shop(dir.path(), &url);
    let number = shop.book.add(order).await.unwrap();
    acts::carry_out(&shop, number).await.unwrap();
    let placed = shop.book.order(number).unwrap();
    let address = iframe_url(&shop, &placed).await.unwrap();
    let expected = format!("/checkout/cs_1?token={TOKEN}");
    assert_eq!(address.as_deref(), Some(expected.as_str()));
    assert_eq!(seen.lock().unwrap().len(), 1, "the shop has it at hand");

    for file in std::fs::read_dir(dir.path()).unwrap() {
        let path = file.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        for secret in ["pt_", SECRET] {
            assert!(!text.contains(secret), "{secret} is in {}", path.display());
        }
    }
    let calls = shop.calls.of(number);
    assert!(calls[0].answer.contains(r#""pay_token": "pt_…""#));
    let shown = format!("{}{}", calls[0].request, calls[0].answer);
    assert!(!shown.contains(TOKEN) && !shown.contains(SECRET), "{shown}");

    drop(shop);
    let (shop, _hints) = examples::shop(dir.path(), &url);
    let kept = shop.book.order(number).unwrap();
    assert_eq!(kept.checkout.as_ref().unwrap().iframe_url, None);
    assert_eq!(iframe_url(&shop, &kept).await.unwrap(), address);
    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), 2);
    assert_eq!(seen[0], seen[1], "the same request under the same key");
}
