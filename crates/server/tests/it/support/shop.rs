//! What merchants and shoppers do in these tests, and access to the PSP's ledger.

use serde_json::{Value, json};

use super::eventually;
use crate::shared::shop::read;
pub(crate) use crate::shared::shop::{ApiResponse, GOOD_CARD, Shop};

impl Shop {
    pub(crate) async fn post(&self, target: &str, body: &Value) -> ApiResponse {
        self.call("POST", target, &body.to_string(), None).await
    }

    pub(crate) async fn get(&self, target: &str) -> ApiResponse {
        self.call("GET", target, "", None).await
    }

    /// Creates a session over 100.00 EUR with these additional fields; returns its id and pay
    /// token.
    pub(crate) async fn create(&self, more: Value) -> (String, String) {
        let response = self
            .post("/v1/checkout/sessions", &order(more))
            .await
            .expect(201);
        let text = |name: &str| response[name].as_str().unwrap().to_owned();
        (text("session_id"), text("pay_token"))
    }

    pub(crate) async fn session(&self, id: &str) -> Value {
        self.get(&format!("/v1/checkout/sessions/{id}"))
            .await
            .expect(200)
    }

    /// A session's events in order, each with its attempts.
    pub(crate) async fn events(&self, session: &str) -> Vec<Value> {
        let target = format!("/v1/events?session_id={session}");
        let list = self.get(&target).await.expect(200);
        let mut events = Vec::new();
        for event in list["data"].as_array().unwrap() {
            events.push(self.event(event["id"].as_str().unwrap()).await);
        }
        events.sort_by_key(|event| event["sequence"].as_u64());
        events
    }

    /// An event with its attempts.
    pub(crate) async fn event(&self, id: &str) -> Value {
        self.get(&format!("/v1/events/{id}")).await.expect(200)
    }

    /// Waits until an event's attempts have these outcomes: a status, or a text if there was no
    /// response.
    pub(crate) async fn wait_for_attempts(&self, event: &str, outcomes: &[Value]) -> Value {
        eventually(20, &format!("the attempts {outcomes:?}"), || async {
            let event = self.event(event).await;
            let attempts = event["attempts"].as_array().unwrap().iter();
            let each = attempts.map(|attempt| match &attempt["status"] {
                Value::Null => attempt["error"].clone(),
                status => status.clone(),
            });
            let is_so = each.eq(outcomes.iter().cloned());
            is_so
                .then_some(event.clone())
                .ok_or_else(|| event.to_string())
        })
        .await
    }

    /// Requests a redelivery of an event.
    pub(crate) async fn redeliver(&self, event: &str) -> ApiResponse {
        let target = format!("/v1/events/{event}/redeliver");
        self.post(&target, &json!({})).await
    }

    /// A one-time token for a card.
    pub(crate) async fn token(&self, card: &str) -> String {
        let response = self.try_token(card).await.unwrap().expect(201);
        response["token"].as_str().unwrap().to_owned()
    }

    /// A request of the shopper's page.
    pub(crate) async fn shopper(
        &self,
        id: &str,
        pay_token: &str,
        act: &str,
        body: &Value,
    ) -> ApiResponse {
        self.try_shopper(id, pay_token, act, body).await.unwrap()
    }

    /// Pays with a card, as the page does.
    pub(crate) async fn pay(&self, id: &str, pay_token: &str, card: &str) -> ApiResponse {
        let token = self.token(card).await;
        self.shopper(id, pay_token, "pay", &json!({ "payment_method": token }))
            .await
    }

    /// A session that is authorized and waits for the merchant.
    pub(crate) async fn authorized(&self) -> String {
        let (id, pay_token) = self.create(json!({ "capture": "manual" })).await;
        let paid = self.pay(&id, &pay_token, GOOD_CARD).await.expect(200);
        assert_eq!(paid["status"], "authorized", "{paid}");
        id
    }

    /// A session that is captured.
    pub(crate) async fn captured(&self) -> String {
        let id = self.authorized().await;
        let target = format!("/v1/checkout/sessions/{id}/capture");
        assert_eq!(
            self.post(&target, &json!({})).await.expect(200)["status"],
            "captured"
        );
        id
    }

    /// The ledger entries of a session: kind and amount, in order.
    pub(crate) async fn ledger(&self, id: &str) -> Vec<(String, i64)> {
        let request = self
            .http
            .get(format!("{}/v1/ledger?reference={id}", self.simulator));
        let ledger = read(request).await.unwrap().expect(200);
        let entries = ledger["entries"].as_array().unwrap().iter();
        entries
            .map(|e| {
                (
                    e["kind"].as_str().unwrap().to_owned(),
                    e["amount"].as_i64().unwrap(),
                )
            })
            .collect()
    }

    /// The total of one kind in the ledger of a session.
    pub(crate) async fn ledger_sum(&self, id: &str, kind: &str) -> i64 {
        self.ledger(id)
            .await
            .iter()
            .filter(|(k, _)| k == kind)
            .map(|(_, amount)| amount)
            .sum()
    }

    /// Sets the simulator's faults; `{}` removes them.
    pub(crate) async fn faults(&self, faults: Value) {
        let request = self
            .http
            .put(format!("{}/v1/faults", self.simulator))
            .json(&faults);
        let response = read(request).await.unwrap();
        assert_eq!(response.status, 200, "{response:?}");
    }
}

/// A create request over 100.00 EUR with these additional fields.
pub(crate) fn order(more: Value) -> Value {
    let mut order = json!({
        "amount": 10_000,
        "currency": "EUR",
        "reference": "order-1",
        "return_url": "https://shop.example.com/thanks",
    });
    if let (Value::Object(order), Value::Object(more)) = (&mut order, more) {
        order.extend(more);
    }
    order
}
