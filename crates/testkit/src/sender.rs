//! A webhook sender that sends nothing: it records webhooks and returns scripted outcomes.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use async_trait::async_trait;
use oncharge_domain::webhook::SendError;
use oncharge_ports::{
    WebhookSender,
    webhook_sender::{SendOutcome, Webhook},
};
use tokio::sync::watch;

/// The outcome of one attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A response with this status.
    Status(u16),
    /// A response with this status and a `Retry-After`.
    RetryAfter(u16, Duration),
    /// No response.
    Error(SendError),
}

/// Stands in for every merchant's server; clones share its state. Responds 200 if nothing is
/// planned.
#[derive(Clone)]
pub struct ScriptedSender {
    state: Arc<Mutex<State>>,
    /// Incremented whenever an attempt begins or ends, or a URL is unblocked.
    changes: Arc<watch::Sender<u64>>,
}

#[derive(Default)]
struct State {
    sent: Vec<Webhook>,
    planned: HashMap<String, VecDeque<Outcome>>,
    always: HashMap<String, Outcome>,
    blocked: HashSet<String>,
    in_flight: HashMap<String, usize>,
    max_in_flight_to: HashMap<String, usize>,
    max_in_flight: usize,
}

impl ScriptedSender {
    /// The latency reported for each attempt.
    pub const LATENCY: Duration = Duration::from_millis(5);

    /// A sender whose every attempt succeeds.
    pub fn new() -> Self {
        Self {
            state: Arc::default(),
            changes: Arc::new(watch::Sender::new(0)),
        }
    }

    /// Plans the outcome of the next attempt to this URL, after those planned before.
    pub fn reply(&self, url: &str, outcome: Outcome) {
        let mut state = self.state();
        let planned = state.planned.entry(url.to_owned()).or_default();
        planned.push_back(outcome);
    }

    /// Sets the outcome of attempts to this URL for which nothing is planned.
    pub fn always(&self, url: &str, outcome: Outcome) {
        self.state().always.insert(url.to_owned(), outcome);
    }

    /// Blocks attempts to this URL until [`ScriptedSender::unblock`].
    pub fn block(&self, url: &str) {
        self.state().blocked.insert(url.to_owned());
    }

    /// Unblocks present and later attempts to this URL.
    pub fn unblock(&self, url: &str) {
        self.state().blocked.remove(url);
        self.notify();
    }

    /// All webhooks, in the order in which their attempts began.
    pub fn sent(&self) -> Vec<Webhook> {
        self.state().sent.clone()
    }

    /// The webhooks to this URL, in the order in which their attempts began.
    pub fn sent_to(&self, url: &str) -> Vec<Webhook> {
        let mut sent = self.sent();
        sent.retain(|webhook| webhook.url.as_str() == url);
        sent
    }

    /// The bodies of the webhooks to this URL as text, in order.
    pub fn bodies(&self, url: &str) -> Vec<String> {
        let text = |webhook: Webhook| String::from_utf8_lossy(&webhook.body).into_owned();
        self.sent_to(url).into_iter().map(text).collect()
    }

    /// Number of attempts to this URL in progress.
    pub fn in_flight(&self, url: &str) -> usize {
        self.state().in_flight.get(url).copied().unwrap_or(0)
    }

    /// Maximum number of concurrent attempts to this URL.
    pub fn max_in_flight_to(&self, url: &str) -> usize {
        self.state().max_in_flight_to.get(url).copied().unwrap_or(0)
    }

    /// Maximum number of concurrent attempts to all URLs.
    pub fn max_in_flight(&self) -> usize {
        self.state().max_in_flight
    }

    /// Waits until this many attempts have begun in all.
    pub async fn wait_for_attempts(&self, count: usize) {
        let mut changes = self.changes.subscribe();
        // Cannot fail: the sender lives as long as this handle.
        let _ = changes.wait_for(|_| self.state().sent.len() >= count).await;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn notify(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    fn start(&self, webhook: &Webhook) -> InFlightAttempt<'_> {
        let url = webhook.url.as_str().to_owned();
        let mut state = self.state();
        state.sent.push(webhook.clone());
        let now = {
            let now = state.in_flight.entry(url.clone()).or_default();
            *now += 1;
            *now
        };
        let most = state.max_in_flight_to.entry(url.clone()).or_default();
        *most = now.max(*most);
        state.max_in_flight = state.max_in_flight.max(state.in_flight.values().sum());
        drop(state);
        self.notify();
        InFlightAttempt { sender: self, url }
    }

    fn next_outcome(&self, url: &str) -> Outcome {
        let mut state = self.state();
        let planned = state.planned.get_mut(url).and_then(VecDeque::pop_front);
        let always = state.always.get(url).copied();
        planned.or(always).unwrap_or(Outcome::Status(200))
    }
}

/// Counts an attempt as in progress until it ends or is dropped.
struct InFlightAttempt<'a> {
    sender: &'a ScriptedSender,
    url: String,
}

impl Drop for InFlightAttempt<'_> {
    fn drop(&mut self) {
        if let Some(count) = self.sender.state().in_flight.get_mut(&self.url) {
            *count -= 1;
        }
        self.sender.notify();
    }
}

#[async_trait]
impl WebhookSender for ScriptedSender {
    async fn send(&self, webhook: &Webhook) -> SendOutcome {
        let in_flight_attempt = self.start(webhook);
        let outcome = self.next_outcome(&in_flight_attempt.url);
        // Yields to other tasks, as a network call would.
        tokio::task::yield_now().await;
        let mut changes = self.changes.subscribe();
        let is_free = |_: &u64| !self.state().blocked.contains(&in_flight_attempt.url);
        // Cannot fail: the sender lives as long as this handle.
        let _ = changes.wait_for(is_free).await;
        let (status, retry_after) = match outcome {
            Outcome::Status(status) => (Ok(status), None),
            Outcome::RetryAfter(status, wait) => (Ok(status), Some(wait)),
            Outcome::Error(error) => (Err(error), None),
        };
        SendOutcome {
            response: status.map_or_else(|_| String::new(), |status| format!("status {status}")),
            status,
            retry_after,
            latency: Self::LATENCY,
        }
    }
}

impl Default for ScriptedSender {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for ScriptedSender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ScriptedSender({} sent)", self.state().sent.len())
    }
}
