//! An order as the shop keeps it: what was bought, and what it knows of the payment.
//!
//! How a payment stands is never read from here but asked of OnCharge, whose webhooks say when. What
//! is kept is the shop's own: the goods, the session's id, what it was about to do (before it does
//! it), and what it has seen so far.

use oncharge_client::SessionStatus;
use serde::{Deserialize, Serialize};

use super::{
    action_error::ActionError,
    dollars::Dollars,
    integration::{
        actions::{Action, Intent},
        session::Checkout,
    },
    moment::Moment,
    status_label::StatusLabel,
};

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
    pub(super) trouble: Option<ActionError>,
    /// Each status that was seen, in order.
    pub(super) sightings: Vec<StatusRecord>,
}

/// How many of what, at which price.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Line {
    pub(super) product: String,
    pub(super) name: String,
    pub(super) price: Dollars,
    pub(super) quantity: u32,
}

/// A status that was seen.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct StatusRecord {
    pub(super) status: SessionStatus,
    /// When the session came to it.
    pub(super) at: Moment,
    /// It was over before anybody looked: it happened at `at` at the latest.
    pub(super) at_latest: bool,
    /// Why, where the API says so.
    pub(super) reason: Option<String>,
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
        }
    }

    /// What the shop sets out to do next.
    pub(super) fn start_action(&mut self, act: Action) {
        self.trouble = None;
        self.intent = Some(Intent::new(act, self));
    }

    /// The act has its final answer, good or bad.
    pub(super) fn finish_action(&mut self, trouble: Option<ActionError>) {
        self.turn = self.turn.saturating_add(1);
        self.intent = None;
        self.trouble = trouble;
    }

    /// How the payment stood when it was last looked at.
    pub(super) fn last_known_status_label(&self) -> StatusLabel {
        StatusLabel::of_status(self.sightings.last().map(|record| record.status))
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

    fn key(order: &mut Order, act: Action) -> String {
        order.start_action(act);
        order.intent.clone().unwrap().idempotency_key
    }

    #[test]
    fn a_repeated_action_keeps_its_key_and_a_new_one_gets_another() {
        let mut order = Order::new(7, Moment::now(), Vec::new());
        let refund = Action::Refund(Dollars::cents(100));
        let first = key(&mut order, refund);
        assert_eq!(
            key(&mut order, refund),
            first,
            "no answer yet: the same act"
        );
        order.finish_action(None);
        assert_ne!(
            key(&mut order, refund),
            first,
            "answered: the same amount again is a new act"
        );
    }
}
