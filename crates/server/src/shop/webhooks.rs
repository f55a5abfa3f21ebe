//! `POST /webhooks/oncharge`: what OnCharge tells the shop, and `GET /webhooks/received`: what came.
//!
//! A webhook is a hint. It is verified, kept and acknowledged at once; only then the shop asks
//! OnCharge how the payment stands (`follow`), and believes that.

use actix_web::{HttpRequest, HttpResponse, web};
use oncharge_client::{Webhook, WebhookError};
use serde::Deserialize;

use super::{Shop, fault::Fault, inbox::Received, moment::Moment};

/// Where OnCharge posts to.
pub(crate) const PATH: &str = "/webhooks/oncharge";

/// `POST /webhooks/oncharge`
pub(super) async fn receive(
    shop: web::Data<Shop>,
    request: HttpRequest,
    body: web::Bytes,
) -> Result<HttpResponse, Fault> {
    let headers = request.headers();
    let verified = shop
        .verifier
        .verify(|name| headers.get(name)?.to_str().ok(), &body);
    let event = match verified {
        Ok(Webhook::Event(event)) => *event,
        Ok(Webhook::Other { kind, .. }) => {
            tracing::info!(%kind, "the demo shop's endpoint was told something of no payment");
            return Ok(HttpResponse::NoContent().finish());
        }
        Err(error) => return Ok(refusal(&error)),
    };
    let number = shop.book.number_of(&event.session_id);
    let (inbox, arrival) = (shop.inbox.clone(), Received::new(event, Moment::now()));
    let kept = web::block(move || inbox.keep(arrival)).await;
    kept.map_err(anyhow::Error::from)??;
    // An event that came before is a hint as good as any.
    if let Some(number) = number {
        shop.follower.hint(number);
    }
    Ok(HttpResponse::NoContent().finish())
}

/// What is asked of [`received`].
#[derive(Deserialize)]
pub(super) struct Which {
    session_id: String,
}

/// `GET /webhooks/received?session_id=…`: the verified events of a session, by their sequence, as
/// JSON.
pub(super) async fn received(shop: web::Data<Shop>, which: web::Query<Which>) -> HttpResponse {
    HttpResponse::Ok().json(shop.inbox.of_session(&which.session_id))
}

fn refusal(error: &WebhookError) -> HttpResponse {
    tracing::warn!(%error, "the demo shop does not believe a webhook");
    let mut answer = match error {
        WebhookError::Unreadable(_) => HttpResponse::BadRequest(),
        _ => HttpResponse::Unauthorized(),
    };
    answer.body(error.to_string())
}

#[cfg(test)]
mod tests {
    use actix_web::{
        App,
        http::{Method, StatusCode},
        middleware::from_fn,
        test::{self, TestRequest},
    };
    use oncharge_client::{Client, WebhookVerifier};
    use oncharge_domain::{signing::SigningKey, webhook::WebhookSecret};
    use oncharge_ports::Clock as _;
    use serde_json::{Value, json};

    use super::*;
    use crate::{
        shop::{
            book::Book,
            follow::{self, Hints},
            guard,
            inbox::Inbox,
            looks::Looks,
            order::{Checkout, Order},
            routes,
        },
        system::SystemClock,
    };

    const SECRET: &str = "oc_secret_of_the_test";
    const ORIGIN: &str = "http://127.0.0.1:8083";

    /// A shop that knows one order, whose session is `cs_1`. OnCharge cannot be asked.
    async fn shop(dir: &std::path::Path) -> (web::Data<Shop>, u64, Hints) {
        let (follower, hints) = follow::pair();
        let book = Book::open(dir).unwrap();
        let order = |number| {
            let mut order = Order::new(number, Moment::now(), Vec::new());
            order.checkout = Some(Checkout {
                session_id: "cs_1".to_owned(),
                iframe_url: "/checkout/cs_1?token=pt_1".to_owned(),
                origin: ORIGIN.to_owned(),
            });
            order
        };
        let number = book.add(order).await.unwrap();
        let shop = web::Data::new(Shop {
            oncharge: Client::new("http://127.0.0.1:9", "oc_key", SECRET).unwrap(),
            verifier: WebhookVerifier::new(SECRET),
            book,
            inbox: Inbox::open(dir).unwrap(),
            looks: Looks::default(),
            follower,
            api: "http://127.0.0.1:8080".to_owned(),
            origin: ORIGIN.to_owned(),
            policy: "default-src 'none'".to_owned(),
        });
        (shop, number, hints)
    }

    fn event(session_id: &str) -> Value {
        json!({
            "event": "payment.captured", "session_id": session_id, "psp_reference": "psp_1",
            "merchant_reference": "1001", "status": "captured",
            "amount": {"value": 1000, "currency": "USD"}, "metadata": {},
            "id": format!("evt_of_{session_id}"), "sequence": 2,
            "created_at": "2026-11-22T12:00:00Z",
        })
    }

    /// As OnCharge posts it: no cookie, no Origin, another Host perhaps.
    fn posted(body: &Value, secret: &str) -> TestRequest {
        let (bytes, now) = (body.to_string(), SystemClock.now().unix_seconds());
        let id = body["id"].as_str().unwrap_or("evt_test");
        let secret = WebhookSecret::of(&SigningKey::of_secret(secret));
        let signature = secret.sign_standard(id, now, bytes.as_bytes());
        TestRequest::default()
            .method(Method::POST)
            .uri(PATH)
            .insert_header(("host", "shop.internal"))
            .insert_header(("x-oncharge-signature", secret.sign(bytes.as_bytes())))
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
            let request = posted(&event("cs_1"), SECRET);
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
        let request = posted(&event("cs_2"), SECRET);
        assert_eq!(answer(&shop, request).await, StatusCode::NO_CONTENT);
        assert_eq!(shop.inbox.of_session("cs_2").len(), 1);
        let test = posted(&json!({ "event": "endpoint.test", "id": "evt_t" }), SECRET);
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
        let changed = posted(&event("cs_1"), SECRET).set_payload(event("cs_2").to_string());
        let unreadable = posted(&json!({ "event": "payment.captured" }), SECRET);
        for (request, status) in [
            (unsigned, StatusCode::UNAUTHORIZED),
            (posted(&event("cs_1"), "oc_other"), StatusCode::UNAUTHORIZED),
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
        let foreign = posted(&event("cs_1"), SECRET).uri("/orders");
        assert_eq!(
            answer(&shop, foreign).await,
            StatusCode::MISDIRECTED_REQUEST
        );
        let list = TestRequest::get()
            .uri("/webhooks/received?session_id=cs_1")
            .insert_header(("host", "evil.example"));
        assert_eq!(answer(&shop, list).await, StatusCode::TEMPORARY_REDIRECT);
    }
}
