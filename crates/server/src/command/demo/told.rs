//! What the demo shop was told by webhook. The receiver's word counts: the shop lists only what
//! arrived with a signature that it has verified.

use std::{future::Future, time::Duration};

use anyhow::{Context, ensure};
use oncharge_client::{Client, CreatedSession, DeliveryAttempt, EventFilter};
use serde::Deserialize;

use super::PATIENCE;
use crate::{sandbox::Sandbox, telemetry::say};

/// How often is looked.
const INTERVAL: Duration = Duration::from_millis(50);
/// How many events the walk has.
const EVENTS: usize = 4;

/// Asks the shop.
pub(super) struct Told {
    http: reqwest::Client,
    /// Where it lists the events of this session.
    list: String,
    session_id: String,
}

/// An event as the shop lists it.
#[derive(Debug, Deserialize)]
struct Received {
    id: String,
    event: String,
    sequence: u32,
}

impl Told {
    /// What the sandbox's shop is told of this session.
    pub(super) fn by(sandbox: &Sandbox, created: &CreatedSession) -> anyhow::Result<Self> {
        let (shop, session_id) = (&sandbox.urls.shop, &created.session_id);
        Ok(Self {
            http: super::http()?,
            list: format!("{shop}/webhooks/received?session_id={session_id}"),
            session_id: session_id.clone(),
        })
    }

    /// Waits until the shop was told of this event, under this number.
    pub(super) async fn of(&self, sequence: u32, event: &str) -> anyhow::Result<()> {
        let come = async || {
            let received = self.received().await?;
            Ok(received.into_iter().find(|one| one.sequence == sequence))
        };
        let received = patiently(come)
            .await
            .with_context(|| format!("the shop was not told of {event}"))?;
        ensure!(
            received.event == event,
            "event {sequence} is {}, not {event}",
            received.event
        );
        say(format_args!(
            "webhook     {event}, number {sequence}: the shop has it, its signature verified"
        ));
        Ok(())
    }

    /// Requires that the shop was told of each event that there is, of nothing else, and that
    /// OnCharge knows it.
    pub(super) async fn all(&self, merchant: &Client) -> anyhow::Result<()> {
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
            let taken = async || {
                let attempts = merchant.event(id).await?.attempts;
                Ok(attempts.into_iter().find(DeliveryAttempt::is_success))
            };
            patiently(taken)
                .await
                .with_context(|| format!("{id} has no attempt that was acknowledged"))?;
        }
        say(format_args!(
            "delivered   all {EVENTS} events of the payment, each acknowledged by the shop"
        ));
        Ok(())
    }

    async fn received(&self) -> anyhow::Result<Vec<Received>> {
        let answer = self.http.get(&self.list).send().await?;
        Ok(answer.error_for_status()?.json().await?)
    }
}

/// Looks until there is something, as long as a step may take.
async fn patiently<T, F>(look: impl Fn() -> F) -> anyhow::Result<T>
where
    F: Future<Output = anyhow::Result<Option<T>>>,
{
    let looking = async {
        loop {
            if let Some(seen) = look().await? {
                break Ok(seen);
            }
            tokio::time::sleep(INTERVAL).await;
        }
    };
    tokio::time::timeout(PATIENCE, looking)
        .await
        .context("not in time")?
}
