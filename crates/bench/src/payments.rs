//! Prepares sessions for the measurements: some to get, captured ones to refund.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, ensure};
use http_body_util::Full;
use hyper::{Request, StatusCode, body::Bytes, header};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::{
    http::{self, OutgoingRequest, Sender},
    merchant::{SESSIONS, order},
    service::Service,
};

/// Number of concurrent connections during preparation.
const CONNECTIONS: usize = 16;
/// Time limit for the preparation.
const PREPARATION_TIMEOUT: Duration = Duration::from_secs(120);
/// The amount of a captured session: refunds of 1 never exhaust it.
const CAPTURED_AMOUNT: i64 = 10_000_000;

/// Creates this many sessions; returns their ids.
pub(crate) async fn create_sessions(
    service: &Arc<Service>,
    count: usize,
) -> anyhow::Result<Vec<String>> {
    run_concurrently(service, count, |service, _, api| {
        Box::pin(create(service, api, order()))
    })
    .await
}

/// Creates, pays and captures this many sessions; returns their ids.
pub(crate) async fn capture_sessions(
    service: &Arc<Service>,
    count: usize,
) -> anyhow::Result<Vec<String>> {
    run_concurrently(service, count, |service, psp, api| {
        Box::pin(pay(service, psp, api))
    })
    .await
}

type StepFuture<'a> = futures_util::future::BoxFuture<'a, anyhow::Result<Value>>;
type Step = for<'a> fn(&'a Service, &'a mut Sender, &'a mut Sender) -> StepFuture<'a>;

async fn run_concurrently(
    service: &Arc<Service>,
    count: usize,
    step: Step,
) -> anyhow::Result<Vec<String>> {
    let mut workers = JoinSet::new();
    for worker in 0..CONNECTIONS {
        let service = Arc::clone(service);
        let share = (count + CONNECTIONS - 1 - worker) / CONNECTIONS;
        workers.spawn(tokio::time::timeout(PREPARATION_TIMEOUT, async move {
            let (api, psp) = (service.merchant.address, service.simulator);
            http::with_connection(psp, async |mut psp| {
                http::with_connection(api, async |mut api| {
                    let mut ids = Vec::with_capacity(share);
                    for _ in 0..share {
                        let response = step(&service, &mut psp, &mut api).await?;
                        ids.push(text(&response, "session_id")?);
                    }
                    Ok(ids)
                })
                .await
            })
            .await
        }));
    }
    let mut ids = Vec::with_capacity(count);
    while let Some(worker) = workers.join_next().await {
        ids.extend(worker?.context("preparing takes too long")??);
    }
    ensure!(ids.len() == count, "{} sessions of {count}", ids.len());
    Ok(ids)
}

async fn create(service: &Service, api: &mut Sender, order: Value) -> anyhow::Result<Value> {
    let request = service.merchant.post(SESSIONS, order.to_string(), None)?;
    http::expect_json(api, request, StatusCode::CREATED).await
}

/// Acts as the shopper's page: the PSP's fields exchange a card for a token, which pays.
async fn pay(service: &Service, psp: &mut Sender, api: &mut Sender) -> anyhow::Result<Value> {
    let mut order = order();
    if let Some(members) = order.as_object_mut() {
        members.insert("amount".to_owned(), CAPTURED_AMOUNT.into());
        members.insert("capture".to_owned(), "automatic".into());
    }
    let created = create(service, api, order).await?;
    let card =
        json!({ "number": "4242424242424242", "exp_month": 12, "exp_year": 2040, "cvc": "123" });
    let tokens = unsigned_request(service.simulator, "/v1/tokens", &card, None)?;
    let token = http::expect_json(psp, tokens, StatusCode::CREATED).await?;
    let target = format!("/checkout/{}/pay", text(&created, "session_id")?);
    let bearer = format!("Bearer {}", text(&created, "pay_token")?);
    let method = json!({ "payment_method": text(&token, "token")? });
    let request = unsigned_request(service.merchant.address, &target, &method, Some(&bearer))?;
    let paid = http::expect_json(api, request, StatusCode::OK).await?;
    ensure!(
        text(&paid, "status")? == "captured",
        "a payment returned {paid}"
    );
    Ok(created)
}

fn unsigned_request(
    address: std::net::SocketAddr,
    target: &str,
    body: &Value,
    authorization: Option<&str>,
) -> anyhow::Result<OutgoingRequest> {
    let mut request = Request::post(target)
        .header(header::HOST, address.to_string())
        .header(header::CONTENT_TYPE, "application/json");
    if let Some(authorization) = authorization {
        request = request.header(header::AUTHORIZATION, authorization);
    }
    Ok(request.body(Full::new(Bytes::from(body.to_string())))?)
}

fn text(value: &Value, name: &str) -> anyhow::Result<String> {
    let text = value.get(name).and_then(Value::as_str);
    Ok(text
        .with_context(|| format!("no {name} in {value}"))?
        .to_owned())
}
