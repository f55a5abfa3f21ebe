//! Delivers queued notifications, signed, until the receiver responds with 2xx.
//!
//! Delivery is at least once: if the process is killed between the receiver's 2xx and its commit,
//! the same bytes with the same id are sent again. Notifications of one payment are sent one at a
//! time and in order as long as each is accepted at once; one that must be retried does not block
//! the next.

use std::sync::Arc;
use std::time::Duration;

use actix_web::web;
use anyhow::Context as _;
use reqwest::header::CONTENT_TYPE;
use ring::hmac;
use tokio::task::JoinSet;

use crate::app::Simulator;
use crate::clock;
use crate::codes::Face;
use crate::store::StoreError;
use crate::store::notifications::{self, PendingNotification};
use crate::stripe::account::Account;

/// Maximum number of concurrent deliveries.
const MAX_CONCURRENT: usize = 8;
/// Time limit of a delivery; after that it is retried later.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The delay after the first failed delivery; it doubles with each further one. Microseconds.
const FIRST_RETRY_DELAY: i64 = 500_000;
/// The maximum delay, in microseconds.
const MAX_RETRY_DELAY: i64 = 10_000_000;
/// The delay before a retry after a database error.
const ERROR_RETRY_DELAY: Duration = Duration::from_secs(1);

/// Signs and sends notifications.
#[derive(Clone)]
pub(crate) struct Sender {
    client: reqwest::Client,
    key: Arc<hmac::Key>,
    /// The account of the Stripe face, which signs its events.
    stripe: Option<Arc<Account>>,
}

impl Sender {
    /// Creates a sender that signs with the account's key and follows no redirects.
    pub(crate) fn new(key: &[u8], stripe: Option<Arc<Account>>) -> anyhow::Result<Self> {
        Ok(Self {
            client: client().context("cannot create the HTTP client for notifications")?,
            key: Arc::new(hmac::Key::new(hmac::HMAC_SHA256, key)),
            stripe,
        })
    }

    /// Sends one notification; returns whether it was accepted.
    async fn send(self, pending: PendingNotification) -> (PendingNotification, bool) {
        let Some((header, signature)) = self.signature(&pending) else {
            return (pending, false);
        };
        let sent = self
            .client
            .post(&pending.url)
            .header(CONTENT_TYPE, "application/json")
            .header(header, signature)
            .body(pending.body.clone())
            .send()
            .await;
        let accepted = sent.is_ok_and(|response| response.status().is_success());
        (pending, accepted)
    }

    /// The header with the signature, and its value. `None` for an event of the Stripe face while
    /// that is off.
    fn signature(&self, pending: &PendingNotification) -> Option<(&'static str, String)> {
        match pending.face {
            Face::Own => {
                let signature = hmac::sign(&self.key, pending.body.as_bytes());
                Some(("X-Psp-Signature", hex::encode(signature)))
            }
            Face::Stripe => {
                let account = self.stripe.as_ref()?;
                let seconds = clock::now() / 1_000_000;
                let signature = account.sign(seconds, &pending.body);
                Some(("Stripe-Signature", signature))
            }
        }
    }
}

/// The only builder of HTTP clients. It includes its own roots and crypto provider, so that a
/// sandbox on plain HTTP also runs on a machine without certificates.
fn client() -> anyhow::Result<reqwest::Client> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(reqwest::redirect::Policy::none())
        .timeout(TIMEOUT)
        .build()?)
}

/// Delivers while the simulator runs. Ended by aborting the task.
pub(crate) async fn run(simulator: web::Data<Simulator>, sender: Sender) {
    let mut in_flight: JoinSet<(PendingNotification, bool)> = JoinSet::new();
    let mut busy: Vec<String> = Vec::new();
    loop {
        let delay = match spawn_due(&simulator, &sender, &mut in_flight, &mut busy).await {
            Ok(delay) => delay,
            Err(error) => {
                tracing::warn!(?error, "cannot read the notification queue");
                Some(ERROR_RETRY_DELAY)
            }
        };
        tokio::select! {
            Some(finished) = in_flight.join_next() => {
                if let Ok((pending, accepted)) = finished {
                    record_result(&simulator, &pending, accepted).await;
                    busy.retain(|psp_reference| *psp_reference != pending.psp_reference);
                } else {
                    // Only a panic ends a delivery like this; its payment is unknown.
                    busy.clear();
                }
            }
            () = simulator.notifiers.delivery.notified() => {}
            () = sleep_for(delay) => {}
        }
    }
}

/// Starts due deliveries and returns the time until the next one (`None`: until a change).
async fn spawn_due(
    simulator: &Simulator,
    sender: &Sender,
    in_flight: &mut JoinSet<(PendingNotification, bool)>,
    busy: &mut Vec<String>,
) -> Result<Option<Duration>, StoreError> {
    while in_flight.len() < MAX_CONCURRENT {
        let except = busy.clone();
        let next = simulator
            .store
            .read(move |connection| Ok(notifications::next(connection, &except, 1)?))
            .await?;
        let Some(pending) = next.into_iter().next() else {
            return Ok(None);
        };
        let remaining = pending.next_try_at - clock::now();
        if remaining > 0 {
            return Ok(u64::try_from(remaining).ok().map(Duration::from_micros));
        }
        busy.push(pending.psp_reference.clone());
        in_flight.spawn(sender.clone().send(pending));
    }
    Ok(None)
}

async fn sleep_for(delay: Option<Duration>) {
    match delay {
        Some(delay) => tokio::time::sleep(delay).await,
        None => std::future::pending().await,
    }
}

/// Stores the result of a delivery.
async fn record_result(simulator: &Simulator, pending: &PendingNotification, accepted: bool) {
    let (seq, tries) = (pending.seq, pending.tries.saturating_add(1));
    let now = clock::now();
    let recorded = simulator.store.write(move |connection| {
        if accepted {
            Ok(notifications::mark_delivered(connection, seq, now)?)
        } else {
            Ok(notifications::reschedule(
                connection,
                seq,
                tries,
                now + retry_delay(tries),
            )?)
        }
    });
    match recorded.await {
        Ok(()) if accepted => {}
        Ok(()) => tracing::info!(
            notification = %pending.notification_id,
            tries,
            "a notification was not acknowledged, retrying"
        ),
        Err(error) => tracing::warn!(?error, "cannot record a delivery"),
    }
}

/// The delay after this many failed deliveries, in microseconds: 0.5 s doubled each time, at most
/// 10 s.
fn retry_delay(tries: i32) -> i64 {
    let doublings = u32::try_from(tries.saturating_sub(1).clamp(0, 20)).unwrap_or(0);
    FIRST_RETRY_DELAY
        .saturating_mul(1_i64 << doublings)
        .min(MAX_RETRY_DELAY)
}

#[cfg(test)]
mod tests {
    #[test]
    fn retry_delays_double_up_to_ten_seconds() {
        let delays: Vec<i64> = (1..=7)
            .map(|tries| super::retry_delay(tries) / 1_000)
            .collect();
        assert_eq!(delays, [500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000]);
        assert_eq!(super::retry_delay(i32::MAX), super::MAX_RETRY_DELAY);
    }
}
