//! The exchanges that an observer of the client receives.

use std::sync::{Arc, Mutex, PoisonError};

use oncharge_client::{Client, IdempotencyKey, NewRefund, RefundFilter};
use serde_json::json;

use crate::server::{Behavior, KEY, SECRET, Server};

/// An exchange as text.
type RecordedExchanges = Arc<Mutex<Vec<Vec<String>>>>;

fn observed(server: &Server) -> (Client, RecordedExchanges) {
    let recorded = RecordedExchanges::default();
    let seen = Arc::clone(&recorded);
    let client = server.client().with_observer(move |exchange| {
        let response = exchange.response.map_or_else(Vec::new, |response| {
            let id = response.header("x-request-id").unwrap_or_default();
            let body = String::from_utf8_lossy(response.body).into_owned();
            vec![response.status.to_string(), id.to_owned(), body]
        });
        let headers = exchange.headers.iter();
        let headers: Vec<_> = headers
            .map(|(name, value)| format!("{name}: {value}"))
            .collect();
        let line = format!("{} {}", exchange.method, exchange.target);
        let request = vec![line, headers.join("\n"), exchange.body.to_owned()];
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.push([request, response].concat());
    });
    (client, recorded)
}

#[tokio::test]
async fn every_attempt_is_observed() {
    let busy = r#"{"error":"busy","message":"nothing was written"}"#;
    let done = json!({
        "refund_id": "ref_1", "session_id": "cs_1", "status": "refund_requested",
        "psp_reference": null, "amount": 500, "currency": "USD",
    });
    let server = Server::start([
        Behavior::HangUp,
        Behavior::Respond(503, "X-Request-Id: req_1\r\n", busy.to_owned()),
        Behavior::Respond(201, "X-Request-Id: req_2\r\n", done.to_string()),
    ])
    .await;
    let (client, recorded) = observed(&server);
    let refund = NewRefund {
        session_id: "cs_1".to_owned(),
        amount: 500,
        currency: "USD".to_owned(),
        reference: "r-1".to_owned(),
    };
    let key = IdempotencyKey::new("refund-1").unwrap();
    client.refund(&refund, Some(&key)).await.unwrap();

    let recorded = recorded.lock().unwrap().clone();
    let sent = server.requests();
    assert_eq!((recorded.len(), sent.len()), (3, 3));
    for (recorded, sent) in recorded.iter().zip(sent) {
        assert_eq!(recorded[0], "POST /v1/refunds");
        assert_eq!(recorded[2], sent.body);
        let headers: Vec<_> = recorded[1].lines().collect();
        assert_eq!(headers[0], format!("X-Oncharge-Key: {KEY}"));
        assert!(headers[2].starts_with("X-Oncharge-Signature: "));
        let rest = [
            "Idempotency-Key: refund-1",
            "Content-Type: application/json",
        ];
        assert_eq!(headers[3..], rest);
        assert!(!recorded.concat().contains(SECRET));
    }
    assert_eq!(recorded[0].len(), 3, "an attempt without a response");
    assert_eq!(recorded[1][3..], ["503", "req_1", busy]);
    assert_eq!(recorded[2][3..], ["201", "req_2", &done.to_string()]);
}

#[tokio::test]
async fn the_query_is_observed_and_debug_masks_bodies() {
    let page = json!({ "data": [], "next_cursor": null }).to_string();
    let server = Server::start([Behavior::response(200, page)]).await;
    let debug = Arc::new(Mutex::new(String::new()));
    let seen = Arc::clone(&debug);
    let client = server.client().with_observer(move |exchange| {
        *seen.lock().unwrap() = format!("{exchange:?}");
    });
    client.list_refunds(&RefundFilter::default()).await.unwrap();
    let target = server.requests().remove(0).target;
    let debug = debug.lock().unwrap().clone();
    assert!(debug.contains(&target) && debug.contains("200"), "{debug}");
    assert!(
        !debug.contains("next_cursor") && !debug.contains(KEY),
        "{debug}"
    );
}
