//! `oncharge demo`: runs through one payment as a merchant's server and a shopper's page would, and
//! requires all of its webhooks.

mod deliveries;

use std::time::Duration;

use anyhow::{Context, ensure};
use oncharge_client::{Client, CreatedSession, NewRefund, NewSession, Session, SessionStatus};
use serde_json::{Value, json};

use self::deliveries::DeliveryCheck;
use crate::{
    sandbox::{Options, Port, Sandbox},
    telemetry::print,
};

const AMOUNT: i64 = 9999;
const REFUND_AMOUNT: i64 = 5000;
/// Time limit for each step.
const STEP_TIMEOUT: Duration = Duration::from_secs(20);

/// Runs the demo on free ports and a temporary directory; errors at the first step with an
/// unexpected result.
pub(super) async fn run() -> anyhow::Result<()> {
    let dir = tempfile::tempdir().context("cannot create a temporary directory")?;
    let port = || Port::new(Some(0), 0);
    let sandbox = Sandbox::start(&Options {
        data_dir: dir.path().join("data"),
        database_url: None,
        api_port: port(),
        simulator_port: port(),
        ops_port: port(),
        shop_port: port(),
        rate_limit: None,
        address_limit: None,
        session_ttl: None,
        capture_delay: Some(2),
        webhook_clock: None,
        log_filter: Some("warn"),
    })
    .await?;
    let result = run_steps(&sandbox).await;
    sandbox.stop().await;
    result
}

async fn run_steps(sandbox: &Sandbox) -> anyhow::Result<()> {
    let credentials = &sandbox.credentials;
    let merchant = Client::new(
        &sandbox.urls.api,
        &credentials.api_key,
        credentials.api_secret.expose(),
    )?;
    let new = NewSession::new(
        AMOUNT,
        "USD",
        "order-42",
        "https://shop.example.com/thank-you",
    );
    let created = merchant.create_session(&new, None).await?;
    ensure!(
        created.status == SessionStatus::Created,
        "the new session does not have the status created"
    );
    let deliveries = DeliveryCheck::new(sandbox, &created)?;
    print(format_args!(
        "created     {} for 99.99 USD",
        created.session_id
    ));

    let status = pay(sandbox, &created).await?;
    let is_authorized = status
        .get("status")
        .is_some_and(|name| name == "authorized");
    ensure!(
        is_authorized,
        "expected the payment to be authorized, got {status}"
    );
    wait_for_status(&merchant, &created, SessionStatus::Authorized).await?;
    print("authorized  with card 4242 4242 4242 4242");
    deliveries.expect(1, "payment.authorized").await?;

    let session = wait_for_status(&merchant, &created, SessionStatus::Captured).await?;
    ensure!(
        session.amount_captured == AMOUNT,
        "expected the full amount to be captured, got {}",
        session.amount_captured
    );
    print("captured    99.99 USD automatically, after two seconds");
    deliveries.expect(2, "payment.captured").await?;

    refund(&merchant, &session).await?;
    deliveries.expect(3, "refund.requested").await?;
    deliveries.expect(4, "refund.succeeded").await?;
    deliveries.expect_all(&merchant).await
}

/// Refunds a part of the payment.
async fn refund(merchant: &Client, session: &Session) -> anyhow::Result<()> {
    let refund = merchant
        .refund(&NewRefund::new(session, REFUND_AMOUNT, "refund-42"), None)
        .await?;
    let session = merchant.session(&session.session_id).await?;
    ensure!(
        session.amount_refunded == REFUND_AMOUNT,
        "expected 50.00 USD to be refunded, got {} minor units",
        session.amount_refunded
    );
    ensure!(
        session.amount_refundable == AMOUNT - REFUND_AMOUNT,
        "the remaining refundable amount is not 49.99 USD"
    );
    print(format_args!(
        "refunded    50.00 USD as {}; 49.99 USD can still be refunded",
        refund.refund_id
    ));
    Ok(())
}

/// Acts as the shopper's browser: the PSP's fields exchange the card for a token, which the page
/// posts.
async fn pay(sandbox: &Sandbox, created: &CreatedSession) -> anyhow::Result<Value> {
    let http = http()?;
    let card =
        json!({ "number": "4242424242424242", "exp_month": 12, "exp_year": 2040, "cvc": "123" });
    let tokens = format!("{}/v1/tokens", sandbox.urls.simulator);
    let token: Value = http.post(tokens).json(&card).send().await?.json().await?;
    let page = format!("{}/checkout/{}/pay", sandbox.urls.api, created.session_id);
    let request = http
        .post(page)
        .bearer_auth(created.pay_token.expose())
        .json(&json!({ "payment_method": token.get("token") }));
    Ok(request.send().await?.json().await?)
}

fn http() -> reqwest::Result<reqwest::Client> {
    reqwest::Client::builder()
        .no_proxy()
        .timeout(STEP_TIMEOUT)
        .build()
}

/// Waits until the session has this status; fails on any other, except `authorized` on the way to
/// `captured`.
async fn wait_for_status(
    merchant: &Client,
    created: &CreatedSession,
    expected: SessionStatus,
) -> anyhow::Result<Session> {
    let polling = async {
        loop {
            let session = merchant.session(&created.session_id).await?;
            let is_still_coming =
                expected == SessionStatus::Captured && session.status == SessionStatus::Authorized;
            if session.status == expected || !is_still_coming {
                break Ok::<_, anyhow::Error>(session);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let session = tokio::time::timeout(STEP_TIMEOUT, polling)
        .await
        .with_context(|| format!("the session did not become {} in time", expected.as_str()))??;
    let status = session.status.as_str();
    ensure!(
        session.status == expected,
        "expected the session to be {}, got {status}",
        expected.as_str()
    );
    Ok(session)
}
