//! Sessions to measure with: some to get, some captured ones to refund.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, ensure};
use http_body_util::Full;
use hyper::{Request, StatusCode, body::Bytes, header};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::{
    merchant::{SESSIONS, order},
    service::Service,
    wire::{self, Outgoing, Sender},
};

/// How many connections prepare at once.
const LANES: usize = 16;
/// How long preparing may take.
const PATIENCE: Duration = Duration::from_secs(120);
/// What a captured session is over: refunds of 1 never exhaust it.
const CAPTURED: i64 = 10_000_000;

/// Creates so many sessions; their ids.
pub(crate) async fn created(service: &Arc<Service>, count: usize) -> anyhow::Result<Vec<String>> {
    in_lanes(service, count, |service, _, api| {
        Box::pin(create(service, api, order()))
    })
    .await
}

/// Has so many sessions paid and captured; their ids.
pub(crate) async fn captured(service: &Arc<Service>, count: usize) -> anyhow::Result<Vec<String>> {
    in_lanes(service, count, |service, psp, api| {
        Box::pin(pay(service, psp, api))
    })
    .await
}

type Made<'a> = futures_util::future::BoxFuture<'a, anyhow::Result<Value>>;
type Step = for<'a> fn(&'a Service, &'a mut Sender, &'a mut Sender) -> Made<'a>;

async fn in_lanes(service: &Arc<Service>, count: usize, step: Step) -> anyhow::Result<Vec<String>> {
    let mut lanes = JoinSet::new();
    for lane in 0..LANES {
        let service = Arc::clone(service);
        let share = (count + LANES - 1 - lane) / LANES;
        lanes.spawn(tokio::time::timeout(PATIENCE, async move {
            let (api, psp) = (service.merchant.address, service.simulator);
            wire::connected(psp, async |mut psp| {
                wire::connected(api, async |mut api| {
                    let mut ids = Vec::with_capacity(share);
                    for _ in 0..share {
                        let made = step(&service, &mut psp, &mut api).await?;
                        ids.push(text(&made, "session_id")?);
                    }
                    Ok(ids)
                })
                .await
            })
            .await
        }));
    }
    let mut ids = Vec::with_capacity(count);
    while let Some(lane) = lanes.join_next().await {
        ids.extend(lane?.context("preparing takes too long")??);
    }
    ensure!(ids.len() == count, "{} sessions of {count}", ids.len());
    Ok(ids)
}

async fn create(service: &Service, api: &mut Sender, order: Value) -> anyhow::Result<Value> {
    let request = service.merchant.post(SESSIONS, order.to_string(), None)?;
    wire::expect(api, request, StatusCode::CREATED).await
}

/// What the shopper's page does: the PSP's fields turn a card into a token, which pays.
async fn pay(service: &Service, psp: &mut Sender, api: &mut Sender) -> anyhow::Result<Value> {
    let mut order = order();
    if let Some(members) = order.as_object_mut() {
        members.insert("amount".to_owned(), CAPTURED.into());
        members.insert("capture".to_owned(), "automatic".into());
    }
    let created = create(service, api, order).await?;
    let card =
        json!({ "number": "4242424242424242", "exp_month": 12, "exp_year": 2040, "cvc": "123" });
    let tokens = plain(service.simulator, "/v1/tokens", (&card, None))?;
    let token = wire::expect(psp, tokens, StatusCode::CREATED).await?;
    let target = format!("/checkout/{}/pay", text(&created, "session_id")?);
    let bearer = format!("Bearer {}", text(&created, "pay_token")?);
    let method = json!({ "payment_method": text(&token, "token")? });
    let paying = plain(service.merchant.address, &target, (&method, Some(&bearer)))?;
    let paid = wire::expect(api, paying, StatusCode::OK).await?;
    ensure!(
        text(&paid, "status")? == "captured",
        "a payment was answered {paid}"
    );
    Ok(created)
}

fn plain(
    address: std::net::SocketAddr,
    target: &str,
    (body, authorization): (&Value, Option<&str>),
) -> anyhow::Result<Outgoing> {
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
