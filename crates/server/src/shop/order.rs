//! An order as the shop keeps it: what was bought, and what it knows of the payment.
//!
//! How a payment stands is never read from here but asked of OnCharge, whose webhooks say when. What is kept is the shop's
//! own: the goods, the session's id, what it was about to do (before it does it), and what it has
//! seen so far.

use std::collections::VecDeque;

use oncharge_client::SessionStatus;
use serde::{Deserialize, Serialize};

use super::{dollars::Dollars, moment::Moment};

/// How many calls an order remembers.
const CALLS: usize = 12;

/// One order.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Order {
    /// The shop's own number; OnCharge knows it as the session's reference.
    pub(super) number: u64,
    /// When it was placed.
    pub(super) placed_at: Moment,
    /// The goods.
    pub(super) lines: Vec<Line>,
    /// What they cost together.
    pub(super) total: Dollars,
    /// The shopper's address; empty where none was given.
    pub(super) email: String,
    /// The shopper's phone number; empty where none was given.
    pub(super) phone: String,
    /// The checkout session, as soon as there is one.
    pub(super) checkout: Option<Checkout>,
    /// How many acts have come to their end.
    pub(super) turn: u32,
    /// What the shop set out to do and has no final answer to.
    pub(super) intent: Option<Intent>,
    /// Why the last act did not succeed.
    pub(super) trouble: Option<Trouble>,
    /// Each status that was seen, in order.
    pub(super) sightings: Vec<Sighting>,
    /// The last calls, the oldest first.
    pub(super) calls: VecDeque<Call>,
}

/// How many of what, at which price.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Line {
    pub(super) product: String,
    pub(super) name: String,
    pub(super) price: Dollars,
    pub(super) quantity: u32,
}

/// What OnCharge answered to a new session. The address holds the shopper's token: it is shown to
/// this shopper alone and never logged.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Checkout {
    pub(super) session_id: String,
    pub(super) iframe_url: String,
    /// The shop's origin at that time: only there may the checkout be embedded.
    pub(super) origin: String,
}

impl std::fmt::Debug for Checkout {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Checkout")
            .field("session_id", &self.session_id)
            .finish_non_exhaustive()
    }
}

/// Something that the shop asks of OnCharge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Act {
    /// Make a checkout session for the order.
    Checkout,
    /// Take the money that is held.
    Capture,
    /// Let go of the money that is held.
    Cancel,
    /// Give back this much.
    Refund(Dollars),
}

impl Act {
    /// Its name in addresses.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Checkout => "checkout",
            Self::Capture => "capture",
            Self::Cancel => "cancel",
            Self::Refund(_) => "refund",
        }
    }
}

/// An act that was written down before it was begun. Whatever happens then, a crash included, the
/// same request can be sent again under the same key.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Intent {
    pub(super) act: Act,
    pub(super) idempotency_key: String,
}

/// Why an act did not succeed, in words.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Trouble {
    /// What was tried.
    pub(super) what: String,
    /// The API's message.
    pub(super) message: String,
    /// The API's code; empty where it gave no answer.
    pub(super) code: String,
}

/// A status that was seen.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Sighting {
    pub(super) status: SessionStatus,
    /// When the session came to it.
    pub(super) at: Moment,
    /// It was over before anybody looked: it happened at `at` at the latest.
    pub(super) at_latest: bool,
    /// Why, where the API says so.
    pub(super) reason: Option<String>,
}

/// A call of OnCharge, for the page to show. There is no place in it for a secret.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Call {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) idempotency_key: Option<String>,
    /// The answer's status; `None` where no answer came.
    pub(super) status: Option<u16>,
    /// When it was made, the last time.
    pub(super) at: Moment,
    /// How often in a row, with the same answer.
    pub(super) times: u32,
}

impl Line {
    /// The price of all of them.
    pub(super) fn sum(&self) -> Dollars {
        self.price.times(self.quantity)
    }
}

impl Order {
    /// A new order, which the shop has done nothing about yet.
    pub(super) fn new(number: u64, placed_at: Moment, lines: Vec<Line>) -> Self {
        Self {
            number,
            placed_at,
            total: lines.iter().map(Line::sum).sum(),
            lines,
            email: String::new(),
            phone: String::new(),
            checkout: None,
            turn: 0,
            intent: None,
            trouble: None,
            sightings: Vec::new(),
            calls: VecDeque::new(),
        }
    }

    /// What the shop sets out to do next. The key is derived from the order and the number of acts
    /// before this one: a request that is repeated repeats its key, another act has another. The
    /// time is in it because a shop that starts anew counts its orders from the beginning again.
    pub(super) fn intend(&mut self, act: Act) {
        let (number, placed, turn) = (self.number, self.placed_at.unix_seconds(), self.turn);
        let idempotency_key = format!("order-{number}-{placed}-{turn}");
        self.trouble = None;
        self.intent = Some(Intent {
            act,
            idempotency_key,
        });
    }

    /// The act has its final answer, good or bad.
    pub(super) fn conclude(&mut self, trouble: Option<Trouble>) {
        self.turn = self.turn.saturating_add(1);
        self.intent = None;
        self.trouble = trouble;
    }

    /// Keeps a call; one that repeats the one before is counted with it.
    pub(super) fn note_call(&mut self, call: Call) {
        let repeated = self.calls.iter_mut().find(|known| {
            known.method == "GET" && known.path == call.path && known.status == call.status
        });
        if let Some(known) = repeated {
            known.times = known.times.saturating_add(1);
            known.at = call.at;
            return;
        }
        if self.calls.len() >= CALLS {
            self.calls.pop_front();
        }
        self.calls.push_back(call);
    }

    /// The query of a cart with the same goods.
    pub(super) fn cart_query(&self) -> String {
        let pairs = self
            .lines
            .iter()
            .map(|line| format!("{}={}", line.product, line.quantity));
        pairs.collect::<Vec<_>>().join("&")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(order: &mut Order, act: Act) -> String {
        order.intend(act);
        order.intent.clone().unwrap().idempotency_key
    }

    #[test]
    fn a_repeated_act_keeps_its_key_and_another_has_another() {
        let mut order = Order::new(7, Moment::now(), Vec::new());
        let refund = Act::Refund(Dollars::cents(100));
        let first = key(&mut order, refund);
        assert_eq!(
            key(&mut order, refund),
            first,
            "no answer yet: the same act"
        );
        order.conclude(None);
        assert_ne!(
            key(&mut order, refund),
            first,
            "answered: the same amount again is a new act"
        );
    }

    #[test]
    fn looking_every_second_does_not_push_out_what_was_done() {
        let mut order = Order::new(7, Moment::now(), Vec::new());
        let call = |method: &str, path: &str| Call {
            method: method.to_owned(),
            path: path.to_owned(),
            idempotency_key: None,
            status: Some(200),
            at: Moment::now(),
            times: 1,
        };
        order.note_call(call("POST", "/a"));
        for _ in 0..100 {
            order.note_call(call("GET", "/b"));
            order.note_call(call("GET", "/c"));
        }
        let calls: Vec<_> = order
            .calls
            .iter()
            .map(|call| (call.path.as_str(), call.times))
            .collect();
        assert_eq!(calls, [("/a", 1), ("/b", 100), ("/c", 100)]);
    }
}
