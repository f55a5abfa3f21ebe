//! A simulator on a temporary file, and the calls of tests.

use std::sync::Once;
use std::time::Duration;

use oncharge_psp_simulator::{Config, Running, Secret, StripeAccount, start};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;

pub(crate) const BEARER: &str = "test-bearer";
pub(crate) const NOTIFICATION_KEY: &str = "test-notification-key";
pub(crate) const APPROVED_CARD: &str = "4242424242424242";
pub(crate) const CHALLENGE_CARD: &str = "4000002500003155";

/// An HTTP client as a PSP connector uses it.
pub(crate) fn client() -> reqwest::Client {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        rustls::crypto::ring::default_provider()
            .install_default()
            .unwrap();
    });
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(Duration::from_secs(20))
        .build()
        .unwrap()
}

/// A response: its status and its JSON (`null` if the body is not JSON).
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: StatusCode,
    pub(crate) body: Value,
}

impl Response {
    /// The `result` and, if present, the `reason`.
    pub(crate) fn result(&self) -> (&str, Option<&str>) {
        let text = |member| self.body.get(member).and_then(Value::as_str);
        (
            text("result").unwrap_or_else(|| panic!("no result in {self:?}")),
            text("reason"),
        )
    }

    pub(crate) fn text(&self, member: &str) -> String {
        let value = self.body.get(member).and_then(Value::as_str);
        value
            .unwrap_or_else(|| panic!("no {member} in {self:?}"))
            .to_owned()
    }

    /// The invalid fields of a 422 response.
    pub(crate) fn fields(&self) -> Vec<String> {
        let details = self.body.get("details").and_then(Value::as_array);
        let details = details.unwrap_or_else(|| panic!("no details in {self:?}"));
        details
            .iter()
            .map(|detail| {
                detail
                    .get("field")
                    .and_then(Value::as_str)
                    .unwrap()
                    .to_owned()
            })
            .collect()
    }
}

pub(crate) struct Sandbox {
    pub(crate) folder: TempDir,
    pub(crate) client: reqwest::Client,
    running: Option<Running>,
    url: String,
    /// The account of the Stripe face, if it is on.
    stripe: Option<StripeAccount>,
}

impl Sandbox {
    pub(crate) async fn start() -> Self {
        Self::start_with(None).await
    }

    /// Starts with this account of the Stripe face.
    pub(crate) async fn start_with(stripe: Option<StripeAccount>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut sandbox = Self {
            folder,
            client: client(),
            running: None,
            url: String::new(),
            stripe,
        };
        sandbox.open(0).await;
        sandbox
    }

    async fn open(&mut self, port: u16) {
        let database = self.folder.path().join("deep/psp.sqlite");
        let mut config = Config::new(database, Secret::new(BEARER), Secret::new(NOTIFICATION_KEY));
        config.port = port;
        config.stripe = self.stripe.clone();
        let running = start(config).await.unwrap();
        running.url().clone_into(&mut self.url);
        self.running = Some(running);
    }

    pub(crate) async fn stop(&mut self) {
        self.running.take().unwrap().stop().await;
    }

    /// Restarts on the same file and port.
    pub(crate) async fn reopen(&mut self) {
        let port = self.address().rsplit(':').next().unwrap().parse().unwrap();
        self.open(port).await;
    }

    pub(crate) async fn restart(&mut self) {
        self.stop().await;
        self.reopen().await;
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// `host:port`.
    pub(crate) fn address(&self) -> String {
        self.url.trim_start_matches("http://").to_owned()
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client
            .request(method, self.url(path))
            .bearer_auth(BEARER)
    }

    pub(crate) async fn token(&self, number: &str) -> String {
        let card = json!({"number": number, "exp_month": 12, "exp_year": 2040, "cvc": "123"});
        let response = send(self.client.post(self.url("/v1/tokens")).json(&card)).await;
        assert_eq!(response.status, StatusCode::CREATED, "{response:?}");
        response.text("token")
    }

    pub(crate) async fn post(&self, path: &str, key: &str, body: &Value) -> Response {
        send(
            self.request(Method::POST, path)
                .header("Idempotency-Key", key)
                .json(body),
        )
        .await
    }

    /// Pays 1000 EUR cents; `more` overrides fields of the call.
    pub(crate) async fn pay(&self, key: &str, number: &str, more: Value) -> Response {
        let body = payment(&self.token(number).await, more);
        self.post("/v1/payments", key, &body).await
    }

    /// An authorized payment of 1000; returns its reference at the simulator. The merchant's
    /// reference is `key`.
    pub(crate) async fn authorized(&self, key: &str) -> String {
        let response = self
            .pay(key, APPROVED_CARD, json!({"reference": key}))
            .await;
        assert_eq!(response.result(), ("authorised", None));
        response.text("psp_reference")
    }

    pub(crate) async fn capture(&self, key: &str, psp_reference: &str, amount: i64) -> Response {
        let path = format!("/v1/payments/{psp_reference}/captures");
        self.post(&path, key, &json!({ "amount": amount })).await
    }

    pub(crate) async fn cancel(&self, key: &str, psp_reference: &str) -> Response {
        self.post(
            &format!("/v1/payments/{psp_reference}/cancels"),
            key,
            &json!({}),
        )
        .await
    }

    pub(crate) async fn refund(&self, key: &str, psp_reference: &str, amount: i64) -> Response {
        let path = format!("/v1/payments/{psp_reference}/refunds");
        self.post(&path, key, &json!({ "amount": amount })).await
    }

    pub(crate) async fn operation(&self, key: &str) -> Response {
        send(self.request(Method::GET, &format!("/v1/operations/{key}"))).await
    }

    /// Submits a button of the challenge page; returns the next page.
    pub(crate) async fn end_challenge(&self, url: &str, outcome: &str) -> (StatusCode, String) {
        let form = self
            .client
            .post(url)
            .header("Content-Type", "application/x-www-form-urlencoded")
            .body(format!("outcome={outcome}"));
        let response = form.send().await.unwrap();
        (response.status(), response.text().await.unwrap())
    }

    /// The ledger of a reference as `kind amount` lines.
    pub(crate) async fn ledger(&self, reference: &str) -> Vec<String> {
        let url = self.url(&format!("/v1/ledger?reference={reference}"));
        let response = send(self.client.get(url)).await;
        let entries = response
            .body
            .get("entries")
            .and_then(Value::as_array)
            .unwrap()
            .clone();
        entries
            .iter()
            .map(|entry| format!("{} {}", entry["kind"].as_str().unwrap(), entry["amount"]))
            .collect()
    }

    pub(crate) async fn set_faults(&self, faults: Value) -> Response {
        send(self.client.put(self.url("/v1/faults")).json(&faults)).await
    }

    pub(crate) async fn clear_faults(&self) {
        let response = send(self.client.delete(self.url("/v1/faults"))).await;
        assert_eq!(response.status, StatusCode::OK);
    }

    /// Waits until the look-up of `key` has this `result`.
    pub(crate) async fn wait_for_result(&self, key: &str, result: &str) -> Response {
        for _ in 0..1_000 {
            let response = self.operation(key).await;
            if response.body.get("result").and_then(Value::as_str) == Some(result) {
                return response;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!(
            "{key} never became {result}: {:?}",
            self.operation(key).await
        );
    }
}

/// The body of a payment call.
pub(crate) fn payment(token: &str, more: Value) -> Value {
    let mut body = json!({
        "token": token,
        "amount": 1000,
        "currency": "EUR",
        "capture": false,
        "reference": "order-1",
    });
    let Value::Object(more) = more else {
        panic!("not an object: {more}")
    };
    body.as_object_mut().unwrap().extend(more);
    body
}

pub(crate) async fn send(request: RequestBuilder) -> Response {
    let response = request.send().await.unwrap();
    let status = response.status();
    let text = response.text().await.unwrap();
    Response {
        status,
        body: serde_json::from_str(&text).unwrap_or(Value::Null),
    }
}
