//! The load: orders that are paid, declined, challenged, captured, cancelled and refunded.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::{
    clients::Clients,
    order_record::{CaptureMode, OrderRecord, Request, RequestKind},
    plan::{RoundPlan, SeededRng},
    shared::shop::GOOD_CARD,
};

const DECLINED_CARDS: [&str; 3] = ["4000000000000002", "4000000000009995", "4000000000000069"];
const CHALLENGED_CARD: &str = "4000002500003155";

/// Runs shoppers one after another until the load ends; returns their orders.
pub(crate) async fn run(clients: &Arc<Clients>, plan: &RoundPlan) -> Vec<OrderRecord> {
    let shoppers = (0..plan.shoppers).map(|shopper| {
        let (clients, plan) = (clients.clone(), plan.clone());
        tokio::spawn(async move {
            let mut order_records = Vec::new();
            for order in 0.. {
                if clients.is_over() {
                    break;
                }
                let mut rng = plan.rng(shopper, order);
                let name = format!("k{}-{shopper}-{order}", plan.round);
                let mut order_record = new_order(&clients, &mut rng, &name);
                run_order(&clients, &mut order_record, &mut rng).await;
                order_records.push(order_record);
            }
            order_records
        })
    });
    let mut order_records = Vec::new();
    for shopper in shoppers.collect::<Vec<_>>() {
        order_records.extend(shopper.await.unwrap());
    }
    order_records
}

/// Repeats requests without a response under their keys, now that there are no faults.
pub(crate) async fn retry_without_response(clients: &Clients, order_records: &mut [OrderRecord]) {
    for order_record in order_records {
        let mut rng = SeededRng::from_numbers(&[0]);
        let was_known = order_record.session.is_some();
        for request in &mut order_record.requests {
            if request.responses.is_empty() {
                clients.post(order_record.merchant, &mut rng, request).await;
            }
        }
        order_record.record_session();
        if !was_known {
            expire(clients, order_record, &mut rng).await;
        }
    }
}

/// The merchant expires a session that is not paid.
async fn expire(clients: &Clients, order_record: &mut OrderRecord, rng: &mut SeededRng) {
    let Some((id, _)) = &order_record.session else {
        return;
    };
    let target = format!("/v1/checkout/sessions/{id}/expire");
    let mut request = request(
        &order_record.reference,
        RequestKind::Expire,
        target,
        &json!({}),
        order_record.amount,
    );
    clients.post(order_record.merchant, rng, &mut request).await;
    order_record.requests.push(request);
}

/// An order without a session yet.
fn new_order(clients: &Clients, rng: &mut SeededRng, reference: &str) -> OrderRecord {
    let currency = *rng.pick(&["EUR", "USD", "JPY"]);
    let amount = rng.amount(1, 50_000);
    let body = json!({
        "amount": amount,
        "currency": currency,
        "reference": reference,
        "return_url": "https://shop.example.com/thanks",
        "metadata": { "basket": reference, "größe": "\u{1f9fe}" },
    });
    let merchants = u64::try_from(clients.merchants()).unwrap();
    let merchant = usize::try_from(rng.between(0, merchants - 1)).unwrap();
    let target = "/v1/checkout/sessions".to_owned();
    let create = request(reference, RequestKind::Create, target, &body, amount);
    OrderRecord {
        merchant,
        reference: reference.to_owned(),
        amount,
        currency,
        session: None,
        requests: vec![create],
        shown: Vec::new(),
    }
}

fn request(
    reference: &str,
    kind: RequestKind,
    target: String,
    body: &Value,
    amount: i64,
) -> Request {
    Request {
        kind,
        target,
        body: body.to_string(),
        key: format!("{reference}-{kind:?}-{amount}"),
        amount,
        sent: 0,
        responses: Vec::new(),
    }
}

/// Runs an order from its creation to its last refund, as far as possible before the load ends.
async fn run_order(clients: &Clients, order_record: &mut OrderRecord, rng: &mut SeededRng) {
    clients
        .post(order_record.merchant, rng, &mut order_record.requests[0])
        .await;
    order_record.record_session();
    match rng.between(1, 100) {
        _ if order_record.session.is_none() => return,
        1..=3 => return,
        4..=6 => return expire(clients, order_record, rng).await,
        _ => {}
    }
    for _ in 0..3 {
        match pay(clients, order_record, rng).await.as_deref() {
            Some("refused" | "error") if rng.chance(80) => {}
            Some("authorized" | "captured") => break,
            _ => return,
        }
    }
    let captured = end_authorization(clients, order_record, rng).await;
    refund(clients, order_record, rng, captured).await;
}

/// One attempt with a card; returns the resulting status.
async fn pay(
    clients: &Clients,
    order_record: &mut OrderRecord,
    rng: &mut SeededRng,
) -> Option<String> {
    let card = match rng.between(1, 100) {
        1..=70 => GOOD_CARD,
        71..=82 => rng.pick(&DECLINED_CARDS),
        _ => CHALLENGED_CARD,
    };
    let mut seen = clients.pay(order_record, rng, card).await?;
    if seen["next"]["type"] == "challenge" {
        let url = seen["next"]["url"].as_str().unwrap().to_owned();
        match rng.between(1, 100) {
            1..=50 => clients.end_challenge(order_record, &url, "pass").await,
            51..=70 => clients.end_challenge(order_record, &url, "fail").await,
            71..=80 => {
                // Abandoned on one device while it is completed on another.
                let other = order_record.clone();
                let abandon = json!({});
                let abandoned = clients.shopper(order_record, rng, "abandon", &abandon);
                tokio::join!(abandoned, clients.end_challenge(&other, &url, "pass"));
            }
            81..=92 => {
                clients
                    .shopper(order_record, rng, "abandon", &json!({}))
                    .await;
            }
            // The shopper closes the page and does not return.
            _ => return None,
        }
        seen = clients.wait_until_settled(order_record, rng).await?;
    }
    Some(seen["status"].as_str()?.to_owned())
}

/// The merchant's action on an authorization; returns the captured amount.
async fn end_authorization(
    clients: &Clients,
    order_record: &mut OrderRecord,
    rng: &mut SeededRng,
) -> i64 {
    let (merchant, amount) = (order_record.merchant, order_record.amount);
    let (id, _) = order_record.session.clone().unwrap_or_default();
    let part = rng.amount(1, amount);
    let act = |kind: RequestKind, amount: Option<i64>| {
        let (name, body) = match (kind, amount) {
            (RequestKind::Cancel, _) => ("cancel", json!({})),
            (_, None) => ("capture", json!({})),
            (_, Some(amount)) => ("capture", json!({ "amount": amount })),
        };
        let target = format!("/v1/checkout/sessions/{id}/{name}");
        let asked = amount.unwrap_or(order_record.amount);
        request(&order_record.reference, kind, target, &body, asked)
    };
    let mut requests = match (order_record.capture_mode(), rng.between(1, 100)) {
        // Captured with the authorization, automatically, or not at all.
        (CaptureMode::Immediate, _) | (CaptureMode::Delayed, 1..=50) | (_, 91..) => vec![],
        (_, 51..=70) => vec![act(RequestKind::Cancel, None)],
        (_, 71..=80) => vec![
            act(RequestKind::Cancel, None),
            act(RequestKind::Capture, None),
        ],
        (_, 21..=50) => vec![act(RequestKind::Capture, Some(part))],
        _ => vec![act(RequestKind::Capture, None)],
    };
    send_concurrently(clients, merchant, rng, &mut requests).await;
    order_record.requests.append(&mut requests);
    captured(clients, order_record, rng).await
}

/// Polls for a while for the captured amount of the session.
async fn captured(clients: &Clients, order_record: &OrderRecord, rng: &mut SeededRng) -> i64 {
    let (id, _) = order_record.session.clone().unwrap_or_default();
    for _ in 0..12 {
        let target = format!("/v1/checkout/sessions/{id}");
        let Some(session) = clients.get(order_record.merchant, rng, &target).await else {
            return 0;
        };
        let status = session["status"].as_str().unwrap();
        let waits = order_record.capture_mode() == CaptureMode::Delayed
            || !session["pending_operation"].is_null();
        if status != "authorized" || !waits {
            return session["amount_captured"].as_i64().unwrap();
        }
        tokio::time::sleep(rng.millis(100, 250)).await;
    }
    0
}

/// Refunds in parts, sequentially or concurrently; sometimes more than was captured.
async fn refund(
    clients: &Clients,
    order_record: &mut OrderRecord,
    rng: &mut SeededRng,
    captured: i64,
) {
    if captured == 0 {
        return;
    }
    let (id, _) = order_record.session.clone().unwrap_or_default();
    let count = rng.between(0, 3);
    let max = if rng.chance(20) {
        captured
    } else {
        (captured / 3).max(1)
    };
    let mut requests = Vec::new();
    for number in 0..count {
        let amount = rng.amount(1, max);
        let reference = format!("{}-r{number}", order_record.reference);
        let body = json!({
            "session_id": id, "amount": amount, "currency": order_record.currency, "reference": reference,
        });
        requests.push(request(
            &reference,
            RequestKind::Refund,
            "/v1/refunds".to_owned(),
            &body,
            amount,
        ));
    }
    if rng.chance(50) {
        send_concurrently(clients, order_record.merchant, rng, &mut requests).await;
    } else {
        for request in &mut requests {
            clients.post(order_record.merchant, rng, request).await;
        }
    }
    order_record.requests.append(&mut requests);
}

async fn send_concurrently(
    clients: &Clients,
    merchant: usize,
    rng: &mut SeededRng,
    requests: &mut [Request],
) {
    let each = requests.iter_mut().map(|request| {
        let mut own = SeededRng::from_numbers(&[rng.between(0, u64::MAX - 1)]);
        async move { clients.post(merchant, &mut own, request).await }
    });
    futures_util::future::join_all(each.collect::<Vec<_>>()).await;
}
