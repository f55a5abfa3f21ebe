//! Each call: the request, and the parsed response.

use oncharge_client::{
    CaptureMode, Client, ConfigError, Error, IdempotencyKey, NewRefund, NewSession,
    PendingOperation, RefundFilter, RefundStatus, SessionFilter, SessionStatus,
};
use serde_json::json;

use crate::server::{Behavior, KEY, RecordedRequest, SECRET, Server};

/// A session as the API writes it.
fn session() -> serde_json::Value {
    json!({
        "session_id": "cs_1", "status": "authorized", "amount": 9999, "currency": "USD",
        "reference": "order-42", "order_id": null, "return_url": "https://shop.example.com/thanks",
        "metadata": {"color": "blue"}, "capture": "manual",
        "customer": {"email": "shopper@example.com", "phone": null},
        "psp_reference": "psp_1", "amount_authorized": 9999, "amount_captured": 0,
        "amount_refunded": 0, "amount_refundable": 0, "pending_operation": "capture",
        "retry_until": null, "failure": null,
        "attempts": [{
            "attempt_id": "op_1", "status": "authorized", "failure": null,
            "payment_method": {"type": "card", "brand": "visa", "last4": "4242"},
            "psp_reference": "psp_1", "created_at": "2026-11-22T12:00:30Z",
        }],
        "created_at": "2026-11-22T12:00:00Z",
        "updated_at": "2026-11-22T12:01:00Z", "expires_at": "2026-11-22T12:30:00Z",
        "something_new": [1, 2, 3],
    })
}

fn refund_details() -> serde_json::Value {
    json!({
        "refund_id": "ref_1", "session_id": "cs_1", "status": "refund_failed",
        "psp_reference": null, "amount": 500, "currency": "USD", "reference": "r-1",
        "failure": {"code": "psp_error", "message": "never_sent"},
        "created_at": "2026-11-22T12:00:00Z", "updated_at": "2026-11-22T12:01:00Z",
    })
}

/// The one received request, which must be correctly signed.
fn single_request(server: &Server) -> RecordedRequest {
    let mut requests = server.requests();
    assert_eq!(requests.len(), 1, "{requests:?}");
    let request = requests.remove(0);
    assert!(request.authentic, "{request:?}");
    request
}

fn summary(request: &RecordedRequest) -> (&str, &str, &str) {
    (&request.method, &request.target, &request.body)
}

#[tokio::test]
async fn a_session_is_created_under_the_given_key() {
    let response = json!({
        "session_id": "cs_1", "status": "created", "iframe_url": "/checkout/cs_1?token=pt_secret",
        "pay_token": "pt_secret", "created_at": "2026-11-22T12:00:00Z",
        "expires_at": "2026-11-22T12:30:00Z",
    });
    let server = Server::start([Behavior::response(201, response.to_string())]).await;
    let client = server.client();
    let mut new = NewSession::new(9999, "USD", "order-42", "https://shop.example.com/thanks");
    new.customer_email = Some("shopper@example.com".to_owned());
    new.metadata.insert("color".to_owned(), "blue".to_owned());
    new.capture = Some(CaptureMode::Manual);
    let key = IdempotencyKey::new("order-42").unwrap();
    let created = client.create_session(&new, Some(&key)).await.unwrap();

    assert_eq!(created.status, SessionStatus::Created);
    assert_eq!(created.pay_token.expose(), "pt_secret");
    let page = format!("{}/checkout/cs_1?token=pt_secret", server.url);
    assert_eq!(client.checkout_url(&created), page);
    assert!(!format!("{created:?}").contains("pt_secret"), "{created:?}");

    let request = single_request(&server);
    assert_eq!(request.idempotency_key.as_deref(), Some("order-42"));
    let body = r#"{"amount":9999,"currency":"USD","reference":"order-42","return_url":"https://shop.example.com/thanks","customer_email":"shopper@example.com","metadata":{"color":"blue"},"capture":"manual"}"#;
    assert_eq!(summary(&request), ("POST", "/v1/checkout/sessions", body));
}

#[tokio::test]
async fn a_session_is_parsed_and_masks_the_shopper_in_debug() {
    let server = Server::start([Behavior::response(200, session().to_string())]).await;
    let read = server.client().session("cs_1").await.unwrap();
    assert_eq!(read.status, SessionStatus::Authorized);
    let attempt = &read.attempts[0];
    assert_eq!(attempt.status, SessionStatus::Authorized);
    let method = attempt.payment_method.as_ref().unwrap();
    let card = (
        method.kind.as_str(),
        method.brand.as_deref(),
        method.last4.as_deref(),
    );
    assert_eq!(card, ("card", Some("visa"), Some("4242")));
    assert_eq!(read.pending_operation, Some(PendingOperation::Capture));
    assert_eq!(
        (read.amount, read.amount_authorized, read.amount_captured),
        (9999, 9999, 0)
    );
    assert_eq!(read.customer.email.as_deref(), Some("shopper@example.com"));
    assert!(!format!("{read:?}").contains("shopper@"), "{read:?}");
    let request = single_request(&server);
    assert_eq!(summary(&request), ("GET", "/v1/checkout/sessions/cs_1", ""));
    assert_eq!(request.idempotency_key, None);
}

#[tokio::test]
async fn a_status_of_a_later_version_is_unknown() {
    let mut later = session();
    later["status"] = json!("levitating");
    later["pending_operation"] = json!("teleport");
    let server = Server::start([Behavior::response(200, later.to_string())]).await;
    let read = server.client().session("cs_1").await.unwrap();
    assert_eq!(read.status, SessionStatus::Unknown);
    assert_eq!(read.pending_operation, Some(PendingOperation::Unknown));
}

#[tokio::test]
async fn the_query_of_a_list_is_signed_with_it() {
    let page = json!({"data": [session()], "next_cursor": "more"});
    let server = Server::start([Behavior::response(200, page.to_string())]).await;
    let filter = SessionFilter {
        limit: Some(1),
        reference: Some("order 42 & co".to_owned()),
        ..SessionFilter::default()
    };
    let page = server.client().list_sessions(&filter).await.unwrap();
    assert_eq!(
        (page.data.len(), page.next_cursor.as_deref()),
        (1, Some("more"))
    );
    let target = "/v1/checkout/sessions?limit=1&reference=order%2042%20%26%20co";
    assert_eq!(summary(&single_request(&server)), ("GET", target, ""));
}

#[tokio::test]
async fn cancel_capture_and_expire_return_the_session() {
    let responses =
        [200, 202, 200, 200].map(|status| Behavior::response(status, session().to_string()));
    let server = Server::start(responses).await;
    let client = server.client();
    client.cancel("cs_1", None).await.unwrap();
    client.capture("cs_1", None, None).await.unwrap();
    client.capture("cs_1", Some(500), None).await.unwrap();
    client.expire("cs_1", None).await.unwrap();
    let requests = server.requests();
    let calls: Vec<_> = requests.iter().map(summary).collect();
    let expected = [
        ("POST", "/v1/checkout/sessions/cs_1/cancel", ""),
        ("POST", "/v1/checkout/sessions/cs_1/capture", "{}"),
        (
            "POST",
            "/v1/checkout/sessions/cs_1/capture",
            r#"{"amount":500}"#,
        ),
        ("POST", "/v1/checkout/sessions/cs_1/expire", ""),
    ];
    assert_eq!(calls, expected);
    assert!(
        requests.iter().all(|request| request.authentic),
        "{requests:?}"
    );
    let keys: std::collections::BTreeSet<_> = requests
        .iter()
        .map(|request| request.idempotency_key.clone().unwrap())
        .collect();
    assert_eq!(keys.len(), 4, "each call has its own random key");
}

#[tokio::test]
async fn a_refund_is_created_retrieved_and_listed() {
    let acknowledged = json!({
        "refund_id": "ref_1", "session_id": "cs_1", "status": "refund_requested",
        "psp_reference": null, "amount": 500, "currency": "USD",
    });
    let page = json!({"data": [refund_details()], "next_cursor": null});
    let server = Server::start([
        Behavior::response(200, session().to_string()),
        Behavior::response(201, acknowledged.to_string()),
        Behavior::response(200, refund_details().to_string()),
        Behavior::response(200, page.to_string()),
    ])
    .await;
    let client = server.client();
    let session = client.session("cs_1").await.unwrap();
    let refund = client
        .refund(&NewRefund::new(&session, 500, "r-1"), None)
        .await
        .unwrap();
    assert_eq!(
        (refund.status, refund.psp_reference),
        (RefundStatus::Requested, None)
    );
    let details = client.refund_status(&refund.refund_id).await.unwrap();
    assert_eq!(details.status, RefundStatus::Failed);
    assert_eq!(details.failure.unwrap().code, "psp_error");
    let filter = RefundFilter {
        session_id: Some("cs_1".to_owned()),
        ..RefundFilter::default()
    };
    assert_eq!(client.list_refunds(&filter).await.unwrap().data.len(), 1);
    let requests = server.requests();
    let body = r#"{"session_id":"cs_1","amount":500,"currency":"USD","reference":"r-1"}"#;
    assert_eq!(summary(&requests[1]), ("POST", "/v1/refunds", body));
    assert_eq!(summary(&requests[2]), ("GET", "/v1/refunds/ref_1", ""));
    assert_eq!(
        summary(&requests[3]),
        ("GET", "/v1/refunds?session_id=cs_1", "")
    );
    assert!(
        requests.iter().all(|request| request.authentic),
        "{requests:?}"
    );
}

#[tokio::test]
async fn an_api_error_has_code_and_fields() {
    let problem = json!({
        "error": "invalid_request", "message": "some fields cannot be taken",
        "request_id": "req_1", "details": [{"field": "amount", "problem": "must be at least 1"}],
    });
    let server = Server::start([Behavior::response(422, problem.to_string())]).await;
    let error = server.client().cancel("cs_1", None).await.unwrap_err();
    assert_eq!(error.code(), Some("invalid_request"));
    let Error::Api {
        status,
        details,
        request_id,
        ..
    } = error
    else {
        panic!("{error:?}");
    };
    assert_eq!((status, request_id.as_deref()), (422, Some("req_1")));
    assert_eq!((details[0].field.as_str(), details.len()), ("amount", 1));
    single_request(&server);
}

#[tokio::test]
async fn malformed_responses_are_unexpected() {
    for (status, headers, body) in [
        (200, "X-Request-Id: req_9\r\n", "<html>"),
        (302, "X-Request-Id: req_9\r\nLocation: /elsewhere\r\n", ""),
        (404, "X-Request-Id: req_9\r\n", "not here"),
    ] {
        let server = Server::start([Behavior::Respond(status, headers, body.to_owned())]).await;
        let error = server.client().session("cs_1").await.unwrap_err();
        let Error::UnexpectedResponse {
            status: reported,
            request_id,
        } = error
        else {
            panic!("{status}: {error:?}");
        };
        assert_eq!((reported, request_id.as_deref()), (status, Some("req_9")));
        single_request(&server);
    }
}

#[tokio::test]
async fn an_invalid_id_is_not_sent() {
    let server = Server::start([]).await;
    for id in ["", "..", "cs_1/cancel", "cs_1?x", "cs 1", "cs_%2e"] {
        let error = server.client().session(id).await.unwrap_err();
        assert!(
            matches!(error, Error::InvalidArgument(_)),
            "{id:?}: {error:?}"
        );
    }
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn a_base_url_path_is_sent_and_signed() {
    let server = Server::start([Behavior::response(200, session().to_string())]).await;
    let base = format!("{}/payments/", server.url);
    Client::new(&base, KEY, SECRET)
        .unwrap()
        .session("cs_1")
        .await
        .unwrap();
    assert_eq!(
        single_request(&server).target,
        "/payments/v1/checkout/sessions/cs_1"
    );
}

#[test]
fn invalid_settings_are_refused_and_secrets_masked() {
    for url in [
        "",
        "api.example",
        "ftp://a.example",
        "https://u:p@a.example",
        "https://a.example?x",
    ] {
        let refused = Client::new(url, KEY, SECRET);
        assert!(matches!(refused, Err(ConfigError::BaseUrl)), "{url}");
    }
    let url = "https://a.example";
    assert!(matches!(
        Client::new(url, "two words", SECRET),
        Err(ConfigError::ApiKey)
    ));
    assert!(matches!(
        Client::new(url, KEY, ""),
        Err(ConfigError::ApiSecret)
    ));
    let shown = format!("{:?}", Client::new(url, KEY, SECRET).unwrap());
    assert!(!shown.contains(KEY) && !shown.contains(SECRET), "{shown}");
}
