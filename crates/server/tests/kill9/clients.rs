//! Merchants and shoppers who retry at any node, with the same key, and record every response.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::{
    cluster::Cluster,
    order_record::{OrderRecord, Request, is_final},
    plan::SeededRng,
    shared::shop::{ApiResponse, Shop},
};

/// Time limit of a request.
const TIMEOUT: Duration = Duration::from_secs(12);
/// Maximum number of calls of `pay` per card; the endpoint has a quota.
const PAY_ATTEMPTS: u32 = 4;

/// The clients of a round.
pub(crate) struct Clients {
    /// By merchant, then by node.
    shops: Vec<Vec<Shop>>,
    /// The end of the load.
    pub(crate) until: Instant,
    tally: Mutex<BTreeMap<String, u32>>,
}

impl Clients {
    /// Clients that send requests until this time.
    pub(crate) fn new(cluster: &Cluster, until: Instant) -> Self {
        let bases = cluster.bases();
        let of_merchant = |pair: &Value| {
            let at = bases.iter().map(|base| {
                let mut pair = pair.clone();
                pair["base_url"] = json!(base);
                Shop::new(&pair)
            });
            at.collect()
        };
        Self {
            shops: cluster.merchants.iter().map(of_merchant).collect(),
            until,
            tally: Mutex::default(),
        }
    }

    pub(crate) fn merchants(&self) -> usize {
        self.shops.len()
    }

    /// Whether the load has ended.
    pub(crate) fn is_over(&self) -> bool {
        Instant::now() >= self.until
    }

    /// The merchant's client for a random node.
    pub(crate) fn shop(&self, merchant: usize, rng: &mut SeededRng) -> &Shop {
        rng.pick(&self.shops[merchant])
    }

    fn count(&self, what: &str) {
        let mut tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
        *tally.entry(what.to_owned()).or_default() += 1;
    }

    /// The outcomes of requests, by count.
    pub(crate) fn tally(&self) -> String {
        let tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
        let each = tally.iter().map(|(what, count)| format!("{what} {count}"));
        each.collect::<Vec<_>>().join(", ")
    }

    /// Sends a merchant's request until it has a final response or the load ends.
    pub(crate) async fn post(&self, merchant: usize, rng: &mut SeededRng, request: &mut Request) {
        while !self.is_over() {
            // Some requests are sent twice concurrently, as by a proxy; some clients disconnect
            // early.
            let twice = rng.chance(8);
            let limit = if rng.chance(5) {
                rng.millis(1, 60)
            } else {
                TIMEOUT
            };
            let (one, other) = (self.shop(merchant, rng), self.shop(merchant, rng));
            let send = |shop| self.send(shop, request, limit);
            let (first, second) = tokio::join!(send(one), async {
                if twice { send(other).await } else { None }
            });
            request.sent += 1 + u32::from(twice);
            request
                .responses
                .extend([first, second].into_iter().flatten());
            if !request.responses.is_empty() {
                return;
            }
            sleep(rng.millis(30, 300)).await;
        }
    }

    async fn send(&self, shop: &Shop, request: &Request, limit: Duration) -> Option<ApiResponse> {
        let call = shop.try_call("POST", &request.target, &request.body, Some(&request.key));
        let response = self.record(timeout(limit, call).await)?;
        if is_final(&response) {
            return Some(response);
        }
        let error = response.json()["error"].as_str().unwrap_or("?").to_owned();
        self.count(&error);
        None
    }

    fn record<T, E, F>(&self, result: Result<Result<T, E>, F>) -> Option<T> {
        match result {
            Ok(Ok(response)) => Some(response),
            Ok(Err(_)) => {
                self.count("responses lost");
                None
            }
            Err(_) => {
                self.count("hung up");
                None
            }
        }
    }

    /// A merchant's read from any node.
    pub(crate) async fn get(
        &self,
        merchant: usize,
        rng: &mut SeededRng,
        target: &str,
    ) -> Option<Value> {
        while !self.is_over() {
            let shop = self.shop(merchant, rng);
            let call = shop.try_call("GET", target, "", None);
            match self.record(timeout(TIMEOUT, call).await) {
                Some(response) if response.status == 200 => return Some(response.json()),
                _ => sleep(rng.millis(30, 200)).await,
            }
        }
        None
    }

    /// A one-time token for a card.
    async fn token(&self, shop: &Shop, card: &str) -> Option<String> {
        while !self.is_over() {
            let token = self.record(timeout(TIMEOUT, shop.try_token(card)).await);
            if let Some(response) = token.filter(|response| response.status == 201) {
                return Some(response.json()["token"].as_str()?.to_owned());
            }
            sleep(Duration::from_millis(60)).await;
        }
        None
    }

    /// Pays with a card; returns the resulting status.
    pub(crate) async fn pay(
        &self,
        order_record: &mut OrderRecord,
        rng: &mut SeededRng,
        card: &str,
    ) -> Option<Value> {
        let shop = self.shop(order_record.merchant, rng);
        let body = json!({ "payment_method": self.token(shop, card).await? });
        for _ in 0..PAY_ATTEMPTS {
            if self.is_over() {
                return None;
            }
            let response = self.shopper(order_record, rng, "pay", &body).await;
            if response.as_ref().is_some_and(is_final) {
                break;
            }
            sleep(rng.millis(30, 250)).await;
        }
        self.wait_until_settled(order_record, rng).await
    }

    /// A request of the shopper's page to any node; statuses are recorded in the order.
    pub(crate) async fn shopper(
        &self,
        order_record: &mut OrderRecord,
        rng: &mut SeededRng,
        act: &str,
        body: &Value,
    ) -> Option<ApiResponse> {
        let (id, pay_token) = order_record.session.clone()?;
        let shop = self.shop(order_record.merchant, rng);
        let call = shop.try_shopper(&id, &pay_token, act, body);
        let response = self.record(timeout(TIMEOUT, call).await)?;
        if response.status == 200 {
            let status = response.json()["status"].as_str().unwrap().to_owned();
            if order_record.shown.last() != Some(&status) {
                order_record.shown.push(status);
            }
        } else if !is_final(&response) {
            self.count(&format!("{act} answered {}", response.status));
        }
        Some(response)
    }

    /// Polls until the payment has a final state, or for a few seconds.
    pub(crate) async fn wait_until_settled(
        &self,
        order_record: &mut OrderRecord,
        rng: &mut SeededRng,
    ) -> Option<Value> {
        let until = Instant::now() + Duration::from_secs(4);
        let mut last = None;
        while !self.is_over() && Instant::now() < until {
            let seen = self
                .shopper(order_record, rng, "status", &Value::Null)
                .await;
            if let Some(response) = seen.filter(|response| response.status == 200) {
                let seen = response.json();
                let waits = seen["status"] == "pending" && seen["next"]["type"] == "none";
                last = Some(seen);
                if !waits {
                    return last;
                }
            }
            sleep(Duration::from_millis(80)).await;
        }
        last
    }

    /// Ends a 3-D Secure challenge on the PSP's page.
    pub(crate) async fn end_challenge(&self, order_record: &OrderRecord, url: &str, outcome: &str) {
        let shop = &self.shops[order_record.merchant][0];
        let form_type = "application/x-www-form-urlencoded";
        for _ in 0..5 {
            let form = shop.http.post(url).header("Content-Type", form_type);
            let sent = timeout(TIMEOUT, form.body(format!("outcome={outcome}")).send()).await;
            if self.record(sent).is_some() || self.is_over() {
                return;
            }
            sleep(Duration::from_millis(100)).await;
        }
    }
}
