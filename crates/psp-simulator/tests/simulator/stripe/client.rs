//! A simulator with the Stripe face, and its calls as a server sends them.

use oncharge_psp_simulator::{Secret, StripeAccount};
use reqwest::header::HeaderMap;
use reqwest::{RequestBuilder, StatusCode};
use serde_json::Value;

use crate::receiver::{Delivery, Receiver};
use crate::sandbox::{APPROVED_CARD, CHALLENGE_CARD, Sandbox};

pub(crate) const SECRET_KEY: &str = "sk_test_face";
pub(crate) const PUBLISHABLE_KEY: &str = "pk_test_face";
pub(crate) const WEBHOOK_SECRET: &str = "whsec_face";
/// The metadata whose value is the reference in the ledger.
pub(crate) const REFERENCE: &str = "order";

/// A response with its headers.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Response {
    /// A member by its JSON pointer, as a text.
    pub(crate) fn text(&self, pointer: &str) -> &str {
        let member = self.body.pointer(pointer).and_then(Value::as_str);
        member.unwrap_or_else(|| panic!("no {pointer} in {self:?}"))
    }

    pub(crate) fn id(&self) -> String {
        self.text("/id").to_owned()
    }

    /// Status code, `type` and `code` of an error; the code is empty if there is none.
    pub(crate) fn error(&self) -> (u16, &str, &str) {
        let code = self.body.pointer("/error/code").and_then(Value::as_str);
        (
            self.status.as_u16(),
            self.text("/error/type"),
            code.unwrap_or_default(),
        )
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

/// The simulator and the receiver of its events.
pub(crate) struct Face {
    pub(crate) sandbox: Sandbox,
    pub(crate) events: Receiver,
}

impl Face {
    pub(crate) async fn start() -> Self {
        let events = Receiver::start(0);
        let account = StripeAccount {
            secret_key: Secret::new(SECRET_KEY),
            publishable_key: PUBLISHABLE_KEY.to_owned(),
            webhook_url: Some(events.url.clone()),
            webhook_secret: Secret::new(WEBHOOK_SECRET),
            reference_metadata: Some(REFERENCE.to_owned()),
        };
        let sandbox = Sandbox::start_with(Some(account)).await;
        Self { sandbox, events }
    }

    pub(crate) fn post_request(&self, path: &str, form: &str) -> RequestBuilder {
        self.post_request_of(SECRET_KEY, path, form)
    }

    /// A request with this API key.
    pub(crate) fn post_request_of(&self, api_key: &str, path: &str, form: &str) -> RequestBuilder {
        let url = self.sandbox.url(&format!("/stripe/v1{path}"));
        self.sandbox
            .client
            .post(url)
            .bearer_auth(api_key)
            .header("Content-Type", "application/x-www-form-urlencoded")
            .body(form.to_owned())
    }

    pub(crate) async fn post(&self, path: &str, form: &str) -> Response {
        send(self.post_request(path, form)).await
    }

    /// Posts with an idempotency key.
    pub(crate) async fn post_as(&self, key: &str, path: &str, form: &str) -> Response {
        send(self.post_request(path, form).header("Idempotency-Key", key)).await
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        let url = self.sandbox.url(&format!("/stripe/v1{path}"));
        send(self.sandbox.client.get(url).bearer_auth(SECRET_KEY)).await
    }

    /// A new payment method.
    pub(crate) async fn method(&self, number: &str) -> String {
        let form = format!(
            "type=card&card[number]={number}&card[exp_month]=12&card[exp_year]=2040&card[cvc]=123"
        );
        let response = self.post("/payment_methods", &form).await;
        assert_eq!(response.status, StatusCode::OK, "{response:?}");
        response.id()
    }

    /// The parameters with which a server pays 10.00 EUR; `order` is the reference in the ledger.
    pub(crate) async fn payment(&self, order: &str, number: &str) -> String {
        let method = self.method(number).await;
        format!(
            "amount=1000&currency=eur&capture_method=manual&confirmation_method=manual\
             &payment_method={method}&payment_method_types[]=card&confirm=true\
             &use_stripe_sdk=true&return_url=https://shop.example/return&metadata[order]={order}"
        )
    }

    /// Pays with this card; the key is also the reference in the ledger.
    pub(crate) async fn pay(&self, key: &str, number: &str) -> Response {
        let form = self.payment(key, number).await;
        self.post_as(key, "/payment_intents", &form).await
    }

    /// An authorized intent.
    pub(crate) async fn authorized(&self, key: &str) -> String {
        let response = self.pay(key, APPROVED_CARD).await;
        assert_eq!(response.text("/status"), "requires_capture", "{response:?}");
        response.id()
    }

    /// A captured intent.
    pub(crate) async fn captured(&self, key: &str) -> String {
        let id = self.authorized(key).await;
        let response = self
            .post(&format!("/payment_intents/{id}/capture"), "")
            .await;
        assert_eq!(response.text("/status"), "succeeded", "{response:?}");
        id
    }

    /// An intent with an open challenge, and the URL of its page.
    pub(crate) async fn challenged(&self, key: &str) -> (String, String) {
        let response = self.pay(key, CHALLENGE_CARD).await;
        assert_eq!(response.text("/status"), "requires_action", "{response:?}");
        let url = response.text("/next_action/use_stripe_sdk/stripe_js");
        (response.id(), url.to_owned())
    }

    pub(crate) async fn intent(&self, id: &str) -> Response {
        self.get(&format!("/payment_intents/{id}?expand[]=latest_charge"))
            .await
    }

    /// Posts to an action of an intent.
    pub(crate) async fn act(&self, id: &str, action: &str, form: &str) -> Response {
        self.post(&format!("/payment_intents/{id}/{action}"), form)
            .await
    }

    /// The next event of this type; earlier events of other types are skipped.
    pub(crate) async fn event(&mut self, kind: &str) -> Delivery {
        loop {
            let event = self.events.next().await;
            if event.text("type") == kind {
                return event;
            }
        }
    }

    /// Waits until the intent has this status.
    pub(crate) async fn wait_for_status(&self, id: &str, status: &str) {
        for _ in 0..1_000 {
            let response = self.intent(id).await;
            if response.text("/status") == status {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        panic!("{id} never became {status}: {:?}", self.intent(id).await);
    }
}

pub(crate) async fn send(request: RequestBuilder) -> Response {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    let text = response.text().await.unwrap();
    Response {
        status,
        headers,
        body: serde_json::from_str(&text).unwrap_or(Value::Null),
    }
}
