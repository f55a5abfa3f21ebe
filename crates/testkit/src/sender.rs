//! A sender of webhooks that sends nothing: it keeps what it is asked to send and answers by a script.

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

/// What comes of one attempt to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// An answer with this status.
    Status(u16),
    /// An answer with this status and a `Retry-After`.
    RetryAfter(u16, Duration),
    /// No answer.
    Error(SendError),
}

/// Every merchant's server, under the test's control; clones are handles of the same one. Answers
/// 200 where nothing is planned.
#[derive(Clone)]
pub struct ScriptedSender {
    state: Arc<Mutex<State>>,
    /// Moves on whenever something begins, ends or is let go.
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
    /// The time that each attempt is said to have taken.
    pub const LATENCY: Duration = Duration::from_millis(5);

    /// A sender whose every attempt succeeds.
    pub fn new() -> Self {
        Self {
            state: Arc::default(),
            changes: Arc::new(watch::Sender::new(0)),
        }
    }

    /// Plans what comes of the next attempt to this URL, after those planned before.
    pub fn reply(&self, url: &str, outcome: Outcome) {
        let mut state = self.state();
        let planned = state.planned.entry(url.to_owned()).or_default();
        planned.push_back(outcome);
    }

    /// Sets what comes of attempts to this URL for which nothing is planned.
    pub fn always(&self, url: &str, outcome: Outcome) {
        self.state().always.insert(url.to_owned(), outcome);
    }

    /// Lets attempts to this URL hang from now on until [`ScriptedSender::unblock`].
    pub fn block(&self, url: &str) {
        self.state().blocked.insert(url.to_owned());
    }

    /// Lets attempts to this URL that hang come to their end, and later ones not hang.
    pub fn unblock(&self, url: &str) {
        self.state().blocked.remove(url);
        self.notify();
    }

    /// Every webhook that was to be sent, in the order in which the attempts began.
    pub fn sent(&self) -> Vec<Webhook> {
        self.state().sent.clone()
    }

    /// The webhooks to this URL, in the order in which the attempts began.
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

    /// How many attempts to this URL are under way.
    pub fn in_flight(&self, url: &str) -> usize {
        self.state().in_flight.get(url).copied().unwrap_or(0)
    }

    /// How many attempts to this URL were under way at once at most.
    pub fn max_in_flight_to(&self, url: &str) -> usize {
        self.state().max_in_flight_to.get(url).copied().unwrap_or(0)
    }

    /// How many attempts to any URL were under way at once at most.
    pub fn max_in_flight(&self) -> usize {
        self.state().max_in_flight
    }

    /// Waits until so many attempts have begun in all.
    pub async fn wait_for_attempts(&self, count: usize) {
        let mut changes = self.changes.subscribe();
        // The sender lives as long as this handle.
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

/// Counts an attempt that is under way, also where it is given up.
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
        // Other tasks get a turn, as they would while a network works.
        tokio::task::yield_now().await;
        let mut changes = self.changes.subscribe();
        let is_free = |_: &u64| !self.state().blocked.contains(&in_flight_attempt.url);
        // The sender lives as long as this handle.
        let _ = changes.wait_for(is_free).await;
        let (answer, retry_after) = match outcome {
            Outcome::Status(status) => (Ok(status), None),
            Outcome::RetryAfter(status, wait) => (Ok(status), Some(wait)),
            Outcome::Error(error) => (Err(error), None),
        };
        SendOutcome {
            response: answer.map_or_else(|_| String::new(), |status| format!("said {status}")),
            answer,
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
