//! No secret, token, e-mail address, phone number or card number appears in the log.

use std::{
    io,
    sync::{Arc, Mutex},
};

use oncharge_testkit::{CommitFault, Outcome};
use serde_json::json;
use tracing_subscriber::fmt::MakeWriter;

use crate::support::{TestApp, new_session};

/// Everything that was logged.
#[derive(Clone, Default)]
struct LogBuffer(Arc<Mutex<Vec<u8>>>);

impl io::Write for LogBuffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for LogBuffer {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

#[actix_web::test]
async fn a_payment_logs_no_secrets() {
    let lines = LogBuffer::default();
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::DEBUG)
        .with_ansi(false)
        .with_writer(lines.clone())
        .init();
    let app = TestApp::start().await;
    let hooks = "https://shop.example.com/hooks?token=hooksecret";
    let endpoint = app.set_endpoint(&app.pair, hooks).await;
    let card = "4242424242424242";
    let checkout = app
        .create(&new_session(&json!({
            "customer_email": "secret.shopper@example.com", "customer_phone": "+4915112345678",
            "metadata": {"note": card}, "order_id": card, "capture": "manual",
        })))
        .await;
    let page = format!("/checkout/{}?token={}", checkout.id, checkout.token);
    assert_eq!(app.get(&page).unsigned().send().await.status, 200);
    assert_eq!(app.pay(&checkout, card).await.status, 422);
    assert_eq!(app.pay(&checkout, "tok_verysecret").await.status, 200);
    for (method, path, status) in [("GET", "/status", 200), ("POST", "/abandon", 409)] {
        let call = app.shopper(method, &checkout, path, "").send().await;
        assert_eq!(call.status, status, "{path}");
    }
    assert_eq!(
        app.post(&checkout.path("/capture"), "").send().await.status,
        200
    );
    assert_eq!(app.refund(&checkout, 100).await.status, 201);
    let bad = format!("/checkout/{}?token=pt_{card}", checkout.id);
    assert_eq!(app.get(&bad).unsigned().send().await.status, 401);
    let body = format!("{{\"{card}\":1,\"{card}\":2}}");
    assert_eq!(app.post("/v1/refunds", body).send().await.status, 400);
    let query = format!("/v1/checkout/sessions?reference={card}&limit={card}");
    assert_eq!(app.get(&query).send().await.status, 400);
    let method = app.request("SECRETMETHOD", "/v1/refunds").send().await;
    assert_eq!(method.status, 405);
    let url = json!({"url": "https://user:urlpassword@shop.example.com/"}).to_string();
    assert_eq!(
        app.put("/v1/webhook_endpoint", url).send().await.status,
        422
    );
    app.sender.reply(hooks, Outcome::Status(500));
    app.deliver().await;
    let test = app.post("/v1/webhook_endpoint/test", "").send().await;
    assert_eq!(test.status, 200);
    let rotated = app.post("/v1/api_keys/rotate", "").send().await.json();
    app.store.fail_commit(1, CommitFault::Before);
    assert_eq!(app.refund(&checkout, 100).await.status, 503);

    let log = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    for secret in [
        card,
        "secret.shopper",
        "+4915112345678",
        "tok_verysecret",
        "SECRETMETHOD",
        checkout.token.as_str(),
        app.pair.key.as_str(),
        app.pair.secret.as_str(),
        "hooksecret",
        "urlpassword",
        endpoint["signing_secret"].as_str().unwrap(),
        rotated["api_key"].as_str().unwrap(),
        rotated["api_secret"].as_str().unwrap(),
    ] {
        let line = log.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "{secret} is in the log");
    }
    assert!(
        log.contains("/checkout/{id}/pay"),
        "the log does not contain the route: {log}"
    );
    for path in ["", "/pay", "/status", "/abandon"] {
        let route = format!("route=\"/checkout/{{id}}{path}\"");
        let mut answered = log.lines().filter(|line| line.contains("answered"));
        let line = answered.find(|line| line.contains(&route));
        let line = line.unwrap_or_else(|| panic!("no line of {route}: {log}"));
        assert_eq!(line.matches("merchant=mer_").count(), 1, "{line}");
    }
    assert!(
        log.contains("status=503") && log.contains("busy"),
        "the line does not contain the status"
    );
}
