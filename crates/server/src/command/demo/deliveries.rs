//! Checks the webhooks that the demo shop has received, as listed by the receiver: the shop lists
//! only events whose signature it has verified.

use std::{future::Future, time::Duration};

use anyhow::{Context, ensure};
use oncharge_client::{Client, CreatedSession, DeliveryAttempt, EventFilter};
use serde::Deserialize;

use super::STEP_TIMEOUT;
use crate::{sandbox::Sandbox, telemetry::print};

/// Polling interval.
const INTERVAL: Duration = Duration::from_millis(50);
/// Number of events of the demo.
const EVENTS: usize = 4;

/// Queries the shop for received events.
pub(super) struct DeliveryCheck {
    http: reqwest::Client,
    /// URL of the shop's list of this session's events.
    list: String,
    session_id: String,
}

/// An event in the shop's list.
#[derive(Debug, Deserialize)]
struct ReceivedEvent {
    id: String,
    event: String,
    sequence: u32,
}

impl DeliveryCheck {
    /// Checks deliveries of this session to the sandbox's shop.
    pub(super) fn new(sandbox: &Sandbox, created: &CreatedSession) -> anyhow::Result<Self> {
        let (shop, session_id) = (&sandbox.urls.shop, &created.session_id);
        Ok(Self {
            http: super::http()?,
            list: format!("{shop}/webhooks/received?session_id={session_id}"),
            session_id: session_id.clone(),
        })
    }

    /// Waits until the shop has received this event with this sequence number.
    pub(super) async fn expect(&self, sequence: u32, event: &str) -> anyhow::Result<()> {
        let find_event = async || {
            let received = self.received().await?;
            Ok(received
                .into_iter()
                .find(|event| event.sequence == sequence))
        };
        let received = poll_until_some(find_event)
            .await
            .with_context(|| format!("the shop did not receive {event}"))?;
        ensure!(
            received.event == event,
            "expected event {sequence} to be {event}, got {}",
            received.event
        );
        print(format_args!(
            "webhook     {event}, number {sequence}: received by the shop, signature verified"
        ));
        Ok(())
    }

    /// Requires that the shop has received each of the events once and no others, and that OnCharge
    /// lists the same ones.
    pub(super) async fn expect_all(&self, merchant: &Client) -> anyhow::Result<()> {
        let filter = EventFilter {
            session_id: Some(self.session_id.clone()),
            ..EventFilter::default()
        };
        let mut listed: Vec<_> = merchant
            .events(&filter)
            .await?
            .data
            .into_iter()
            .map(|event| (event.sequence, event.id))
            .collect();
        listed.sort();
        let received = self.received().await?.into_iter();
        let received: Vec<_> = received.map(|event| (event.sequence, event.id)).collect();
        ensure!(
            listed == received && listed.len() == EVENTS,
            "the API lists {listed:?}, but the shop received {received:?}"
        );
        for (_, id) in &listed {
            let find_success = async || {
                let attempts = merchant.event(id).await?.attempts;
                Ok(attempts.into_iter().find(DeliveryAttempt::is_success))
            };
            poll_until_some(find_success)
                .await
                .with_context(|| format!("no delivery attempt of {id} was acknowledged"))?;
        }
        print(format_args!(
            "delivered   all {EVENTS} events of the payment, each acknowledged by the shop"
        ));
        Ok(())
    }

    async fn received(&self) -> anyhow::Result<Vec<ReceivedEvent>> {
        let response = self.http.get(&self.list).send().await?;
        Ok(response.error_for_status()?.json().await?)
    }
}

/// Polls until there is a result, within the time limit of a step.
async fn poll_until_some<T, F>(poll: impl Fn() -> F) -> anyhow::Result<T>
where
    F: Future<Output = anyhow::Result<Option<T>>>,
{
    let polling = async {
        loop {
            if let Some(value) = poll().await? {
                break Ok(value);
            }
            tokio::time::sleep(INTERVAL).await;
        }
    };
    tokio::time::timeout(STEP_TIMEOUT, polling)
        .await
        .context("timed out")?
}
