//! An order as the shop stores it: what was bought, and what is known of the payment.
//!
//! The authoritative state of a payment is retrieved from OnCharge, never read from here; webhooks
//! say when to do so. The shop stores its own data: the goods, the session id, the action in
//! progress (before it starts), and the statuses seen so far.

use oncharge_client::SessionStatus;
use serde::{Deserialize, Serialize};

use crate::{
    action_error::ActionError,
    dollars::Dollars,
    integration::records::{Action, Checkout, Intent},
    moment::Moment,
    status_label::StatusLabel,
};

/// One order.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Order {
    /// The shop's order number; OnCharge has it as the session's reference.
    pub(crate) number: u64,
    /// When it was placed.
    pub(crate) placed_at: Moment,
    pub(crate) lines: Vec<Line>,
    /// The total price.
    pub(crate) total: Dollars,
    /// The shopper's e-mail address; empty if not given.
    pub(crate) email: String,
    /// The shopper's phone number; empty if not given.
    pub(crate) phone: String,
    /// The checkout session, once created.
    pub(crate) checkout: Option<Checkout>,
    /// Number of completed actions.
    pub(crate) turn: u32,
    /// The action that has no final response yet.
    pub(crate) intent: Option<Intent>,
    /// The error of the last action.
    pub(crate) trouble: Option<ActionError>,
    /// The statuses seen, in order.
    pub(crate) sightings: Vec<StatusRecord>,
}

/// A quantity of a product at a price.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Line {
    pub(crate) product: String,
    pub(crate) name: String,
    pub(crate) price: Dollars,
    pub(crate) quantity: u32,
}

/// A status that was seen.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct StatusRecord {
    pub(crate) status: SessionStatus,
    /// When the session reached it.
    pub(crate) at: Moment,
    /// The status had already passed when first seen: it was reached at `at` or before.
    pub(crate) at_latest: bool,
    /// The reason, if the API gives one.
    pub(crate) reason: Option<String>,
}

impl Line {
    /// The price of the whole quantity.
    pub(crate) fn sum(&self) -> Dollars {
        self.price.times(self.quantity)
    }
}

impl Order {
    /// A new order without a payment.
    pub(crate) fn new(number: u64, placed_at: Moment, lines: Vec<Line>) -> Self {
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

    /// Sets the next action to execute.
    pub(crate) fn start_action(&mut self, act: Action) {
        self.trouble = None;
        self.intent = Some(Intent::new(act, self.number, self.placed_at, self.turn));
    }

    /// Completes the action after its final response, successful or not.
    pub(crate) fn finish_action(&mut self, trouble: Option<ActionError>) {
        self.turn = self.turn.saturating_add(1);
        self.intent = None;
        self.trouble = trouble;
    }

    /// The payment's last known status.
    pub(crate) fn last_known_status_label(&self) -> StatusLabel {
        StatusLabel::of_status(self.sightings.last().map(|record| record.status))
    }

    /// The query of a cart with the same products.
    pub(crate) fn cart_query(&self) -> String {
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
            "without a response: the same action"
        );
        order.finish_action(None);
        assert_ne!(
            key(&mut order, refund),
            first,
            "with a response: the same amount is a new action"
        );
    }
}
