//! What the demo shop was told by webhook. The receiver's word counts: the shop lists only what
//! arrived with a signature that it has verified.

use std::{future::Future, time::Duration};

use anyhow::{Context, ensure};
use oncharge_client::{Client, CreatedSession, DeliveryAttempt, EventFilter};
use serde::Deserialize;

use super::STEP_TIMEOUT;
use crate::{sandbox::Sandbox, telemetry::print};

/// How often is looked.
const INTERVAL: Duration = Duration::from_millis(50);
/// How many events the walk has.
const EVENTS: usize = 4;

/// Asks the shop.
pub(super) struct DeliveryCheck {
    http: reqwest::Client,
    /// Where it lists the events of this session.
    list: String,
    session_id: String,
}

/// An event as the shop lists it.
#[derive(Debug, Deserialize)]
struct ReceivedEvent {
    id: String,
    event: String,
    sequence: u32,
}

impl DeliveryCheck {
    /// What the sandbox's shop is told of this session.
    pub(super) fn new(sandbox: &Sandbox, created: &CreatedSession) -> anyhow::Result<Self> {
        let (shop, session_id) = (&sandbox.urls.shop, &created.session_id);
        Ok(Self {
            http: super::http()?,
            list: format!("{shop}/webhooks/received?session_id={session_id}"),
            session_id: session_id.clone(),
        })
    }

    /// Waits until the shop was told of this event, under this number.
    pub(super) async fn expect(&self, sequence: u32, event: &str) -> anyhow::Result<()> {
        let find_event = async || {
            let received = self.received().await?;
            Ok(received
                .into_iter()
                .find(|event| event.sequence == sequence))
        };
        let received = poll_until_some(find_event)
            .await
            .with_context(|| format!("the shop was not told of {event}"))?;
        ensure!(
            received.event == event,
            "event {sequence} is {}, not {event}",
            received.event
        );
        print(format_args!(
            "webhook     {event}, number {sequence}: the shop has it, its signature verified"
        ));
        Ok(())
    }

    /// Requires that the shop was told of each event that there is, of nothing else, and that
    /// OnCharge knows it.
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
            "the API lists {listed:?}, the shop was told of {received:?}"
        );
        for (_, id) in &listed {
            let find_success = async || {
                let attempts = merchant.event(id).await?.attempts;
                Ok(attempts.into_iter().find(DeliveryAttempt::is_success))
            };
            poll_until_some(find_success)
                .await
                .with_context(|| format!("{id} has no attempt that was acknowledged"))?;
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

/// Looks until there is something, as long as a step may take.
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
        .context("not in time")?
}
